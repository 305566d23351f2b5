//! The repository itself, its branches, who sprag is in it, and what others may do.

use super::auth::Identity;
use super::error::ErrorClass;
use super::issues::if_there;
use super::wire::UserWire;
use super::{Forge, ForgeError, Standing, endpoint};
use serde::Deserialize;
use sprag_core::github::{Actor, Permission};
use std::collections::BTreeMap;

/// The bot behind a job's `GITHUB_TOKEN` on github.com.
const ACTIONS_BOT: (u64, &str) = (41_898_282, "github-actions[bot]");

/// The repository.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Repository {
    /// Its id, which outlives its name.
    pub id: u64,
    /// Its page.
    pub html_url: String,
    /// The branch that changes are for.
    pub default_branch: String,
    /// Whether not everybody can read it.
    pub private: bool,
    /// What the token's owner may do: `push`, `admin`, …
    #[serde(default)]
    pub permissions: BTreeMap<String, bool>,
}

/// A branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Its newest commit.
    pub sha: String,
    /// Whether it is protected.
    pub protected: bool,
    /// The names of the checks that a merge into it needs.
    pub required_checks: Vec<String>,
}

impl Forge {
    /// The repository.
    ///
    /// # Errors
    /// [`ErrorClass::NotFound`] when there is none, it was moved, or the token cannot see it.
    pub async fn repository(&self) -> Result<Repository, ForgeError> {
        self.read(&self.call(endpoint::REPOSITORY, &[])).await
    }

    /// Whether not everybody can read the repository. Asked once.
    pub(super) async fn private(&self) -> Result<bool, ForgeError> {
        let ask = async || Ok::<_, ForgeError>(self.repository().await?.private);
        self.inner.private.get_or_try_init(ask).await.copied()
    }

    /// A branch.
    ///
    /// # Errors
    /// [`ErrorClass::NotFound`] when there is none.
    pub async fn branch(&self, name: &str) -> Result<Branch, ForgeError> {
        #[derive(Deserialize)]
        struct Commit {
            sha: String,
        }
        #[derive(Deserialize, Default)]
        struct Required {
            #[serde(default)]
            contexts: Vec<String>,
        }
        #[derive(Deserialize, Default)]
        struct Protection {
            required_status_checks: Option<Required>,
        }
        #[derive(Deserialize)]
        struct Wire {
            commit: Commit,
            protected: bool,
            protection: Option<Protection>,
        }
        let branch: Wire = self.read(&self.call(endpoint::BRANCH, &[&name])).await?;
        let required = branch.protection.unwrap_or_default().required_status_checks;
        Ok(Branch {
            sha: branch.commit.sha,
            protected: branch.protected,
            required_checks: required.unwrap_or_default().contexts,
        })
    }

    /// The commit where a change left the branch it is for: the best common ancestor of the two.
    ///
    /// # Errors
    /// [`ErrorClass::NotFound`] when one of them is not there, or they have no ancestor in common.
    pub async fn merge_base(&self, base: &str, head: &str) -> Result<String, ForgeError> {
        #[derive(Deserialize)]
        struct Commit {
            sha: String,
        }
        #[derive(Deserialize)]
        struct Wire {
            merge_base_commit: Commit,
        }
        let call = self.call(endpoint::COMPARE, &[&format!("{base}...{head}")]);
        let compared: Wire = self.read(&call.query("per_page", 1)).await?;
        Ok(compared.merge_base_commit.sha)
    }

    /// What somebody may do who is only known by login, as in an event. Each is asked for once.
    ///
    /// # Errors
    /// See [`ForgeError`]; somebody unknown may do nothing, which is none.
    pub async fn permission(&self, login: &str) -> Result<Permission, ForgeError> {
        Ok(self.of_login(login).await?.0)
    }

    /// What somebody may do. Nothing, when the login has meanwhile gone to somebody else.
    ///
    /// # Errors
    /// As [`Self::permission`].
    pub async fn permission_of(&self, actor: &Actor) -> Result<Permission, ForgeError> {
        let (permission, id) = self.of_login(&actor.login).await?;
        Ok(if id.is_none_or(|id| id == actor.id) {
            permission
        } else {
            Permission::None
        })
    }

    /// What a login may do, and whose it is now.
    async fn of_login(&self, login: &str) -> Result<Standing, ForgeError> {
        #[derive(Deserialize)]
        struct Wire {
            permission: String,
            role_name: Option<String>,
            user: Option<UserWire>,
        }
        if login.is_empty() {
            return Ok((Permission::None, None));
        }
        let known = |permissions: &BTreeMap<_, _>| permissions.get(login).copied();
        if let Some(known) = known(&*self.permissions()) {
            return Ok(known);
        }
        let answer = self.read::<Wire>(&self.call(endpoint::PERMISSION, &[&login])).await;
        let wire = if_there(answer)?;
        let id = wire.as_ref().and_then(|wire| Some(wire.user.as_ref()?.id));
        let permission = match wire {
            None => Permission::None,
            // A role that the organisation made up is unknown here; GitHub says below which plain one it is.
            Some(wire) => wire
                .role_name
                .as_deref()
                .and_then(permission)
                .or_else(|| permission(&wire.permission))
                .unwrap_or(Permission::None),
        };
        self.permissions().insert(login.to_owned(), (permission, id));
        Ok((permission, id))
    }

    /// Who our comments appear as. Asked once.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn myself(&self) -> Result<Actor, ForgeError> {
        let ask = async || match &self.inner.identity {
            Identity::App { .. } => {
                let login = format!("{}[bot]", self.app().await?.slug);
                self.user(&login).await
            }
            Identity::Token(_) => match self.read::<UserWire>(&self.call(endpoint::MYSELF, &[])).await {
                Ok(user) => Ok(user.into()),
                // The token of a job belongs to no user. Elsewhere than on github.com its bot has another id.
                Err(error) if error.class() == ErrorClass::Forbidden => {
                    let (id, login) = ACTIONS_BOT;
                    let bot = if_there(self.user(login).await)?;
                    Ok(bot.unwrap_or_else(|| Actor {
                        id,
                        login: login.to_owned(),
                        bot: true,
                    }))
                }
                Err(error) => Err(error),
            },
        };
        self.inner.myself.get_or_try_init(ask).await.cloned()
    }

    async fn user(&self, login: &str) -> Result<Actor, ForgeError> {
        let user: UserWire = self.read(&self.call(endpoint::USER, &[&login])).await?;
        Ok(user.into())
    }

    fn permissions(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Standing>> {
        let permissions = self.inner.permissions.lock();
        permissions.unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn permission(role: &str) -> Option<Permission> {
    Some(match role {
        "admin" => Permission::Admin,
        "maintain" => Permission::Maintain,
        "write" => Permission::Write,
        "triage" => Permission::Triage,
        "read" => Permission::Read,
        "none" => Permission::None,
        _ => return None,
    })
}
