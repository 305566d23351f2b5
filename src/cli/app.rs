//! `sprag app create`: a GitHub App of your own, with exactly the permissions that sprag needs.

use crate::app::{Page, Registration};
use crate::error::{CommandError, Exit};
use crate::forge::{NewApp, convert_manifest};
use clap::Subcommand;
use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use secrecy::{ExposeSecret as _, SecretString};
use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};

/// Registers the GitHub App that sprag works as.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Create(CreateArgs),
}

/// Registers an App of your own: opens a page on this machine, from which GitHub takes over and asks for your consent.
///
/// The App gets no webhook, since sprag runs in your workflows. Its private key is written to a file that only you can read.
#[derive(Debug, Clone, clap::Args)]
pub struct CreateArgs {
    /// Its name; must be free on all of GitHub
    #[arg(long, default_value = "sprag")]
    pub name: String,
    /// The organisation that owns it; you, when left out
    #[arg(long, value_name = "ORGANISATION", value_parser = word)]
    pub organization: Option<String>,
    /// The page that tells what it is, such as your repository
    #[arg(long, default_value = "https://github.com", value_name = "URL")]
    pub homepage: String,
    /// The web address of GitHub
    #[arg(
        long,
        env = "GITHUB_SERVER_URL",
        default_value = "https://github.com",
        value_name = "URL"
    )]
    pub server: String,
    /// The address of its API; made of the web address when left out
    #[arg(long, env = "GITHUB_API_URL", value_name = "URL")]
    pub api: Option<String>,
    /// The folder for the private key; keep it out of repositories
    #[arg(long, value_name = "DIR", default_value_os_t = default_folder())]
    pub keys: PathBuf,
}

/// A word that can stand in an address as it is.
fn word(text: &str) -> Result<String, String> {
    let plain = !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    plain
        .then(|| text.to_owned())
        .ok_or_else(|| "give its name as it stands in its address".to_owned())
}

fn default_folder() -> PathBuf {
    let set = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let config = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")));
    config.unwrap_or_else(|| PathBuf::from(".")).join("sprag")
}

impl CreateArgs {
    /// The root of the REST API.
    pub fn api_url(&self) -> String {
        let server = self.server.trim_end_matches('/');
        match &self.api {
            Some(api) => api.clone(),
            None if server == "https://github.com" => "https://api.github.com".to_owned(),
            None => format!("{server}/api/v3"),
        }
    }
}

/// Runs `sprag app`.
pub(super) async fn on_github(args: Args) -> Result<(), CommandError> {
    let Command::Create(args) = args.command;
    create(args, random_state()?, &mut std::io::stdout()).await
}

/// Registers the App; what is told goes to `output`. GitHub's redirect must bring back `state`.
///
/// # Errors
/// When the page cannot be opened, GitHub refuses the code, or the key cannot be written.
pub async fn create(args: CreateArgs, state: String, output: &mut dyn Write) -> Result<(), CommandError> {
    // Before anything is registered: GitHub hands out the key once.
    fs::create_dir_all(&args.keys)?;
    let api = args.api_url();
    let registration = Registration {
        server: args.server.trim_end_matches('/').to_owned(),
        organization: args.organization,
        name: args.name,
        homepage: args.homepage,
        state,
    };
    let page = Page::open()?;
    writeln!(
        output,
        "Open {} in your browser, and press the button there.",
        page.url()
    )?;
    output.flush()?;
    let (code, registration) = tokio::task::spawn_blocking(move || (page.code(&registration), registration))
        .await
        .map_err(|error| CommandError::new(Exit::Internal, error.to_string(), "run the command again"))?;
    let app = convert_manifest(&api, &code?).await?;
    let key = args.keys.join(format!("{}-{}.private-key.pem", app.slug, app.id));
    write_key(&key, &app.pem)?;
    Ok(told(&app, &key, &registration, output)?)
}

/// A file that nobody else can read, from its first byte on.
fn write_key(path: &Path, key: &SecretString) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(key.expose_secret().as_bytes())
}

fn told(app: &NewApp, key: &Path, registration: &Registration, output: &mut dyn Write) -> std::io::Result<()> {
    let owner = registration.organization.as_deref().unwrap_or("your account");
    writeln!(
        output,
        "\n{} is registered for {owner}. Its private key is in {}.\n\n\
         Next:\n\
         1. Install it on the repository: {}/installations/new\n\
         2. In the repository under Settings, Secrets and variables, Actions: set the variable SPRAG_APP_ID to {},\n   \
            and the secret SPRAG_APP_PRIVATE_KEY to what is in the file. With GitHub's own program:\n     \
              gh variable set SPRAG_APP_ID --body {}\n     \
              gh secret set SPRAG_APP_PRIVATE_KEY < '{}'\n\
         3. Remove the file, or keep it where you keep secrets.",
        app.slug,
        key.display(),
        app.html_url,
        app.id,
        app.id,
        key.display(),
    )
}

/// 128 bits that nobody can guess.
fn random_state() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sprag_testkit::github::{FakeGitHub, PRIVATE_KEY};
    use std::net::TcpStream;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::mpsc;

    /// Passes on what is told, so that the test can go where it says.
    struct Told(mpsc::Sender<String>);

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.send(String::from_utf8_lossy(bytes).into_owned()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn args(keys: &Path) -> CreateArgs {
        CreateArgs {
            name: "sprag-acme".to_owned(),
            organization: Some("acme".to_owned()),
            homepage: "https://github.com/acme/desk".to_owned(),
            server: "https://git.acme.example/".to_owned(),
            api: None,
            keys: keys.to_owned(),
        }
    }

    #[tokio::test]
    async fn the_code_of_the_redirect_becomes_a_key_that_only_the_owner_can_read() {
        let dir = tempfile::tempdir().unwrap();
        let fake = FakeGitHub::start().await;
        let id = fake.create_app("sprag-acme", &[]);
        let code = fake.manifest_code(PRIVATE_KEY);
        let (sender, receiver) = mpsc::channel::<String>();
        let browser = std::thread::spawn(move || {
            let mut seen = String::new();
            while !seen.contains("in your browser") {
                seen.push_str(&receiver.recv().unwrap());
            }
            let address = seen.split("http://").nth(1).unwrap().split('/').next().unwrap();
            let mut stream = TcpStream::connect(address).unwrap();
            write!(stream, "GET /created?code={code}&state=abc HTTP/1.1\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            (answer, receiver.into_iter().collect::<String>())
        });
        let mut told = Told(sender);
        let args = CreateArgs {
            api: Some(fake.api_url()),
            ..args(dir.path())
        };
        create(args, "abc".to_owned(), &mut told).await.unwrap();
        drop(told);
        let (answer, seen) = browser.join().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        let stable = seen
            .replace(&dir.path().display().to_string(), "[keys]")
            .replace(&fake.api_url(), "[server]")
            .replace(&id.to_string(), "7");
        insta::assert_snapshot!(stable, @r"
        sprag-acme is registered for acme. Its private key is in [keys]/sprag-acme-7.private-key.pem.

        Next:
        1. Install it on the repository: [server]/apps/sprag-acme/installations/new
        2. In the repository under Settings, Secrets and variables, Actions: set the variable SPRAG_APP_ID to 7,
           and the secret SPRAG_APP_PRIVATE_KEY to what is in the file. With GitHub's own program:
             gh variable set SPRAG_APP_ID --body 7
             gh secret set SPRAG_APP_PRIVATE_KEY < '[keys]/sprag-acme-7.private-key.pem'
        3. Remove the file, or keep it where you keep secrets.
        ");
        let key = dir.path().join(format!("sprag-acme-{id}.private-key.pem"));
        assert_eq!(fs::read_to_string(&key).unwrap(), PRIVATE_KEY);
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!seen.contains("PRIVATE KEY"), "{seen}");
        assert!(
            write_key(&key, &"other".to_owned().into()).is_err(),
            "a key is never overwritten"
        );
    }

    #[test]
    fn github_itself_has_its_api_elsewhere() {
        let here = |server: &str| CreateArgs {
            server: server.to_owned(),
            ..args(Path::new("x"))
        };
        assert_eq!(here("https://github.com/").api_url(), "https://api.github.com");
        assert_eq!(
            here("https://git.acme.example").api_url(),
            "https://git.acme.example/api/v3"
        );
    }

    #[test]
    fn a_state_is_never_the_same() {
        let (one, other) = (random_state().unwrap(), random_state().unwrap());
        assert_eq!(one.len(), 32);
        assert_ne!(one, other);
    }
}
