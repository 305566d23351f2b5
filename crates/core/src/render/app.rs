//! The two pages of `sprag app create`: the button that takes a person to GitHub, and what they see when GitHub sends them back.

use super::svg::escape;

/// What both pages begin with. They load nothing, and may post to nowhere but GitHub.
fn page(title: &str, form_action: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; form-action {form_action}\">\n\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}}\
         button{{font:inherit;padding:.5rem 1rem}}pre{{background:#8881;padding:1rem;overflow:auto}}</style></head>\n\
         <body><h1>{title}</h1>\n{body}\n</body></html>\n"
    )
}

/// The page with the form that posts `manifest` (JSON) to `action`, an address on `server`.
pub fn create_page(server: &str, action: &str, manifest: &str) -> String {
    let body = format!(
        "<p>This registers a GitHub App that is yours alone, with exactly these permissions. GitHub shows them once more and asks for your consent.</p>\n\
         <pre>{manifest}</pre>\n\
         <form action=\"{}\" method=\"post\"><input type=\"hidden\" name=\"manifest\" value=\"{manifest}\">\
         <button>Create the App on GitHub</button></form>",
        escape(action),
        manifest = escape(manifest),
    );
    page("Create an App for sprag", &escape(server), &body)
}

/// The page that GitHub's redirect ends on.
pub fn created_page() -> String {
    page(
        "Go back to the terminal",
        "'none'",
        "<p>GitHub has registered the App. sprag now fetches its key and tells the next steps there.</p>",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_manifest_becomes_markup() {
        let text = create_page(
            "https://github.com",
            "https://github.com/settings/apps/new?state=a&b=\"",
            "{\"name\":\"<script>'\"}",
        );
        assert!(!text.contains("<script>"), "{text}");
        assert!(
            text.contains("value=\"{&quot;name&quot;:&quot;&lt;script&gt;"),
            "{text}"
        );
        assert!(
            text.contains("action=\"https://github.com/settings/apps/new?state=a&amp;b=&quot;\""),
            "{text}"
        );
    }
}
