//! How well one reading of the same failures agrees with another: partitions, decisive steps, ranked lists. For benchmarks.

use std::collections::BTreeMap;

/// How two partitions of the same things agree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Partition {
    /// Adjusted Rand index: 1 for equal partitions, 0 for what chance gives, below 0 for worse.
    pub ari: f64,
    /// Adjusted mutual information (mean of the two entropies): 1 for equal partitions, 0 for what chance gives.
    pub ami: f64,
    /// Precision, recall and F1 over the pairs whose tasks differ: a partition by task has no such pair and scores 0.
    pub cross_task: Pairs,
}

/// Over pairs: how many of those put together belong together, how many that belong together were put together, and their harmonic mean.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pairs {
    /// From 0 to 1.
    pub precision: f64,
    /// From 0 to 1.
    pub recall: f64,
    /// From 0 to 1.
    pub f1: f64,
}

/// How often a place was found.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Located {
    /// The share of those that are exactly right.
    pub exact: f64,
    /// The share of those that are at most one step off.
    pub within_one: f64,
}

/// Compares two labellings of the same things; `tasks` says what each thing is a failure of. The three are equally long; what is longer is cut.
pub fn partition<L: Ord, P: Ord, T: Eq>(labels: &[L], predicted: &[P], tasks: &[T]) -> Partition {
    let n = labels.len().min(predicted.len()).min(tasks.len());
    let table = Contingency::new(&labels[..n], &predicted[..n]);
    Partition {
        ari: table.adjusted_rand(),
        ami: table.adjusted_mutual_information(),
        cross_task: cross_task(&labels[..n], &predicted[..n], &tasks[..n]),
    }
}

/// The share of steps that were found; a step that nobody named is wrong.
pub fn located(steps: &[(usize, Option<usize>)]) -> Located {
    let within = |reach: usize| {
        let hits = steps
            .iter()
            .filter(|(truth, named)| named.is_some_and(|named| named.abs_diff(*truth) <= reach));
        share(hits.count(), steps.len())
    };
    Located {
        exact: within(0),
        within_one: within(1),
    }
}

/// The share of questions whose right answer is among the first `k`; `ranks` holds the place of the first right answer, from 0.
pub fn recall_at(k: usize, ranks: &[Option<usize>]) -> f64 {
    let hits = ranks.iter().filter(|rank| rank.is_some_and(|rank| rank < k));
    share(hits.count(), ranks.len())
}

/// A share; 0 of nothing.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of labelled failures stay far below 2^52"
)]
pub fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn cross_task<L: Eq, P: Eq, T: Eq>(labels: &[L], predicted: &[P], tasks: &[T]) -> Pairs {
    let (mut both, mut together, mut belong) = (0, 0, 0);
    for left in 0..labels.len() {
        for right in (0..left).filter(|&right| tasks[left] != tasks[right]) {
            let (is, put) = (labels[left] == labels[right], predicted[left] == predicted[right]);
            both += usize::from(is && put);
            together += usize::from(put);
            belong += usize::from(is);
        }
    }
    Pairs {
        precision: share(both, together),
        recall: share(both, belong),
        f1: share(2 * both, together + belong),
    }
}

/// How often each pair of labels meets, with the sums of rows and columns.
struct Contingency {
    cells: Vec<(usize, usize, usize)>,
    rows: Vec<usize>,
    columns: Vec<usize>,
    n: usize,
}

impl Contingency {
    fn new<L: Ord, P: Ord>(labels: &[L], predicted: &[P]) -> Self {
        let (rows, columns) = (numbered(labels), numbered(predicted));
        let mut cells: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for pair in rows.iter().zip(&columns) {
            *cells.entry((*pair.0, *pair.1)).or_default() += 1;
        }
        Self {
            cells: cells
                .into_iter()
                .map(|((row, column), count)| (row, column, count))
                .collect(),
            rows: sums(&rows),
            columns: sums(&columns),
            n: labels.len(),
        }
    }

    /// Hubert and Arabie, 1985.
    fn adjusted_rand(&self) -> f64 {
        let pairs = |counts: &mut dyn Iterator<Item = usize>| counts.map(two_of).sum::<f64>();
        let same = pairs(&mut self.cells.iter().map(|cell| cell.2));
        let rows = pairs(&mut self.rows.iter().copied());
        let columns = pairs(&mut self.columns.iter().copied());
        let expected = rows * columns / two_of(self.n).max(1.0);
        over_chance(same, expected, f64::midpoint(rows, columns))
    }

    /// Vinh, Epps and Bailey, 2010, with the arithmetic mean of the entropies.
    fn adjusted_mutual_information(&self) -> f64 {
        let n = float(self.n.max(1));
        let entropy = |counts: &[usize]| {
            counts
                .iter()
                .map(|&count| float(count) / n)
                .map(|share| -share * share.ln())
                .sum::<f64>()
        };
        let told = |&(row, column, count): &(usize, usize, usize)| {
            let count = float(count);
            count / n * (n * count / (float(self.rows[row]) * float(self.columns[column]))).ln()
        };
        let mutual: f64 = self.cells.iter().map(told).sum();
        over_chance(
            mutual,
            self.expected_information(),
            f64::midpoint(entropy(&self.rows), entropy(&self.columns)),
        )
    }

    /// What two partitions with these sizes tell of each other by chance: the hypergeometric mean.
    fn expected_information(&self) -> f64 {
        let mut logs = vec![0.0];
        for k in 1..=self.n {
            logs.push(logs[k - 1] + float(k).ln());
        }
        let n = float(self.n);
        let mut expected = 0.0;
        for &row in &self.rows {
            for &column in &self.columns {
                for both in (row + column).saturating_sub(self.n).max(1)..=row.min(column) {
                    let told = float(both) / n * (n * float(both) / (float(row) * float(column))).ln();
                    let chance = logs[row] + logs[column] + logs[self.n - row] + logs[self.n - column]
                        - logs[self.n]
                        - logs[both]
                        - logs[row - both]
                        - logs[column - both]
                        - logs[self.n + both - row - column];
                    expected += told * chance.exp();
                }
            }
        }
        expected
    }
}

/// `(found - expected) / (best - expected)`; two partitions that cannot differ are equal.
fn over_chance(found: f64, expected: f64, best: f64) -> f64 {
    if (best - expected).abs() < 1e-12 {
        1.0
    } else {
        (found - expected) / (best - expected)
    }
}

fn two_of(n: usize) -> f64 {
    float(n) * (float(n) - 1.0) / 2.0
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of labelled failures stay far below 2^52"
)]
fn float(n: usize) -> f64 {
    n as f64
}

/// Each label by its place in the sorted list of labels.
fn numbered<L: Ord>(labels: &[L]) -> Vec<usize> {
    let mut known: Vec<&L> = labels.iter().collect();
    known.sort();
    known.dedup();
    labels
        .iter()
        .map(|label| known.partition_point(|other| *other < label))
        .collect()
}

fn sums(numbers: &[usize]) -> Vec<usize> {
    let mut sums = vec![0; numbers.iter().max().map_or(0, |most| most + 1)];
    numbers.iter().for_each(|&number| sums[number] += 1);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TASKS: [usize; 6] = [0, 1, 2, 3, 4, 5];

    fn close(left: f64, right: f64) {
        assert!((left - right).abs() < 5e-4, "{left} is not {right}");
    }

    #[test]
    fn a_textbook_table_by_hand() {
        // Rows {a: 3, b: 3}, columns {x: 2, y: 3, z: 1}. Pairs together: 1 + 1 = 2 of 6 and 4, of 15 in all:
        // (2 - 6·4/15) / (5 - 1.6) = 0.4 / 3.4.
        let scores = partition(&["a", "a", "a", "b", "b", "b"], &["x", "x", "y", "y", "y", "z"], &TASKS);
        close(scores.ari, 0.4 / 3.4);
        close(scores.cross_task.precision, 2.0 / 4.0);
        close(scores.cross_task.recall, 2.0 / 6.0);
        close(scores.cross_task.f1, 4.0 / 10.0);
        // By the same formula written apart, with the log-gamma function.
        close(scores.ami, 0.182_82);
    }

    #[test]
    fn a_larger_table_agrees_with_other_programs_to_the_sixth_digit() {
        // The same formulas in Python, with binomials for the Rand index and the log-gamma function for the chance of the mutual information.
        let ids = || 0..40_usize;
        let labels: Vec<usize> = ids().map(|i| i * 7 % 5 + i / 9 % 2).collect();
        let predicted: Vec<usize> = ids().map(|i| i * 7 % 5 + usize::from(i % 4 == 0) * 3).collect();
        let tasks: Vec<usize> = ids().map(|i| i % 8).collect();
        let scores = partition(&labels, &predicted, &tasks);
        for (ours, theirs) in [
            (scores.ari, 0.218_057_921_635),
            (scores.ami, 0.351_448_237_574),
            (scores.cross_task.precision, 0.365_384_615_385),
            (scores.cross_task.recall, 0.339_285_714_286),
            (scores.cross_task.f1, 0.351_851_851_852),
        ] {
            assert!((ours - theirs).abs() < 1e-9, "{ours} is not {theirs}");
        }
    }

    #[test]
    fn what_the_sizes_alone_force_is_worth_nothing() {
        // Wherever the single y lands, the table looks the same: what is found is what chance gives.
        let scores = partition(&["a", "a", "b", "b"], &["x", "x", "x", "y"], &TASKS);
        close(scores.ari, 0.0);
        close(scores.ami, 0.0);
    }

    #[test]
    fn equal_partitions_score_one_and_one_heap_scores_nothing() {
        let labels = [1, 1, 2, 2, 3, 3];
        let same = partition(&labels, &[7, 7, 5, 5, 6, 6], &TASKS);
        close(same.ari, 1.0);
        close(same.ami, 1.0);
        close(same.cross_task.f1, 1.0);
        let heap = partition(&labels, &[0; 6], &TASKS);
        close(heap.ari, 0.0);
        close(heap.ami, 0.0);
        let apart = partition(&labels, &TASKS, &TASKS);
        close(apart.ari, 0.0);
        close(apart.cross_task.f1, 0.0);
    }

    #[test]
    fn clustering_by_task_has_no_pairs_across_tasks() {
        let scores = partition(&[1, 1, 1, 1], &[1, 1, 2, 2], &["s", "s", "t", "t"]);
        close(scores.cross_task.f1, 0.0);
        close(scores.cross_task.recall, 0.0);
    }

    #[test]
    fn steps_and_ranks() {
        let found = located(&[(3, Some(3)), (3, Some(4)), (3, Some(1)), (0, None)]);
        assert_eq!((found.exact, found.within_one), (0.25, 0.5));
        let ranks = [Some(0), Some(4), None, Some(9)];
        assert_eq!(
            (recall_at(1, &ranks), recall_at(5, &ranks), recall_at(10, &ranks)),
            (0.25, 0.5, 0.75)
        );
        assert_eq!(located(&[]), Located::default());
        close(recall_at(5, &[]), 0.0);
    }

    proptest! {
        #[test]
        fn names_do_not_count_and_a_partition_equals_itself(labels in prop::collection::vec(0_usize..5, 2..40), other in prop::collection::vec(0_usize..5, 40)) {
            let tasks: Vec<usize> = (0..labels.len()).collect();
            let other = &other[..labels.len()];
            let renamed: Vec<String> = other.iter().map(|label| format!("c{}", 9 - label)).collect();
            let (plain, with_names) = (partition(&labels, other, &tasks), partition(&labels, &renamed, &tasks));
            prop_assert!((plain.ari - with_names.ari).abs() < 1e-9 && (plain.ami - with_names.ami).abs() < 1e-9);
            prop_assert!(plain.ari <= 1.0 + 1e-9 && plain.ami <= 1.0 + 1e-9);
            let swapped = partition(other, &labels, &tasks);
            prop_assert!((plain.ari - swapped.ari).abs() < 1e-9 && (plain.ami - swapped.ami).abs() < 1e-9);
            prop_assert!((partition(&labels, &labels, &tasks).ari - 1.0).abs() < 1e-9);
        }
    }
}
