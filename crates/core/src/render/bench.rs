//! The table of a benchmark: every figure beside what simple methods reach on the same data.

use super::markdown::visible;

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The data set and how many things it was measured on, such as `tau, without truth (86)`.
    pub set: String,
    /// What was measured, such as `adjusted Rand`.
    pub measure: &'static str,
    /// The figure; `None` where the set has no such label.
    pub value: Option<f64>,
    /// What other methods reach, in words.
    pub beside: &'static str,
}

/// The figures as a table with aligned columns, the name of a set only where it begins.
pub fn mine(rows: &[Row]) -> String {
    let width = |text: &dyn Fn(&Row) -> usize| rows.iter().map(text).max().unwrap_or(0);
    let sets = width(&|row| row.set.chars().count());
    let measures = width(&|row| row.measure.chars().count());
    let mut lines = vec![format!("{:<sets$}  {:<measures$}  sprag  beside", "set", "measure")];
    let mut before = "";
    for row in rows {
        let set = if row.set == before { "" } else { row.set.as_str() };
        let value = row
            .value
            .map_or_else(|| "    -".to_owned(), |value| format!("{value:>5.3}"));
        let line = format!(
            "{:<sets$}  {:<measures$}  {value}  {}",
            visible(set),
            row.measure,
            row.beside
        );
        lines.push(line.trim_end().to_owned());
        before = &row.set;
    }
    lines.join("\n")
}

/// Each cluster with its size and the labels of its members, most frequent first.
pub fn clusters(clusters: &[(String, Vec<(String, usize)>)]) -> String {
    let mut lines = vec![String::new(), "size  cluster: labels of its members".to_owned()];
    for (title, labels) in clusters {
        let size: usize = labels.iter().map(|(_, count)| count).sum();
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, count)| format!("{count} {}", visible(label)))
            .collect();
        lines.push(format!("{size:>4}  {}: {}", visible(title), labels.join(", ")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_stands_beside_the_labels_of_its_members() {
        let labels = vec![("a|b".to_owned(), 2), ("c".to_owned(), 1)];
        insta::assert_snapshot!(clusters(&[("cancels too early".to_owned(), labels)]), @"

        size  cluster: labels of its members
           3  cancels too early: 2 a|b, 1 c
        ");
    }

    #[test]
    fn the_table_names_a_set_once_and_says_where_there_is_no_label() {
        let row = |set: &str, measure, value, beside| Row {
            set: set.to_owned(),
            measure,
            value,
            beside,
        };
        let rows = [
            row("tau (86)", "adjusted Rand", Some(0.512_4), "rule key .458"),
            row("tau (86)", "cross-task F1", Some(0.5), ""),
            row("whowhen", "category", None, "random .120"),
        ];
        insta::assert_snapshot!(mine(&rows), @"
        set       measure        sprag  beside
        tau (86)  adjusted Rand  0.512  rule key .458
                  cross-task F1  0.500
        whowhen   category           -  random .120
        ");
    }
}
