//! What goes through the door: JSON messages, each after its length.

use std::io::{Error, ErrorKind as IoErrorKind, Result};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use souk_domain::{Command, Import, Migration, Product, ProductId, Rejection, Stock, Timestamp};
use souk_ports::{Applied, ErrorKind, ExecuteError, Keeper, Outcome, PortError, Refusal};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Far above a unit of a migration; below what a message that is none could cost.
const MOST_BYTES: u32 = 64 << 20;

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Question {
    Execute(Vec<Wanted>),
    SetKeeper(Keeper),
}

/// A command that may come through.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Wanted {
    Import(Import),
    Delete(ProductId, Migration, Option<Timestamp>),
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Applied(Vec<Done>),
    Rejected(Vec<Refused>),
    Overloaded(String),
    OutcomeUnknown(String),
    Failed(String),
    KeeperIsSet,
}

/// What a command did.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Done {
    product: Product,
    previous_stock: Option<Stock>,
    changed: bool,
}

/// Why a command was refused: what an import can be refused for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Refused {
    NotFound(usize, ProductId),
    AlreadyExists(usize, ProductId),
    SkuTaken(usize, ProductId),
}

impl Wanted {
    /// Takes a command; `None`: it may not come through.
    pub fn of(command: Command) -> Option<Self> {
        match command {
            Command::Import(import) => Some(Self::Import(import)),
            Command::ImportDelete { id, migration, noted_at } => Some(Self::Delete(id, migration, noted_at)),
            _ => None,
        }
    }

    pub fn command(self) -> Command {
        match self {
            Self::Import(import) => Command::Import(import),
            Self::Delete(id, migration, noted_at) => Command::ImportDelete { id, migration, noted_at },
        }
    }
}

impl Refused {
    fn of(refusal: &Refusal) -> Option<Self> {
        Some(match refusal.rejection {
            Rejection::NotFound { product_id } => Self::NotFound(refusal.index, product_id),
            Rejection::AlreadyExists { product_id } => Self::AlreadyExists(refusal.index, product_id),
            Rejection::SkuTaken { product_id } => Self::SkuTaken(refusal.index, product_id),
            _ => return None,
        })
    }

    fn refusal(self) -> Refusal {
        let (index, rejection) = match self {
            Self::NotFound(index, product_id) => (index, Rejection::NotFound { product_id }),
            Self::AlreadyExists(index, product_id) => (index, Rejection::AlreadyExists { product_id }),
            Self::SkuTaken(index, product_id) => (index, Rejection::SkuTaken { product_id }),
        };
        Refusal { index, rejection }
    }
}

impl Answer {
    pub fn of(outcome: std::result::Result<Outcome, ExecuteError>) -> Self {
        match outcome {
            Ok(Outcome::Applied(applied)) => {
                let done = |one: Applied| Done {
                    product: Arc::unwrap_or_clone(one.product),
                    previous_stock: one.previous_stock,
                    changed: one.changed,
                };
                Self::Applied(applied.into_iter().map(done).collect())
            }
            Err(ExecuteError::Rejected(refusals)) => {
                match refusals.iter().map(Refused::of).collect::<Option<Vec<_>>>() {
                    Some(refused) => Self::Rejected(refused),
                    None => Self::Failed(ExecuteError::Rejected(refusals).to_string()),
                }
            }
            Err(ExecuteError::Overloaded(why)) => Self::Overloaded(why),
            Err(ExecuteError::OutcomeUnknown(why)) => Self::OutcomeUnknown(why),
            // Nothing that comes through has an idempotency key.
            Err(error @ (ExecuteError::KeyReused | ExecuteError::Failed(_))) => {
                Self::Failed(error.to_string())
            }
            Ok(Outcome::Replayed(_)) => Self::Failed("an answer of another request".to_owned()),
        }
    }

    pub fn outcome(self) -> std::result::Result<Outcome, ExecuteError> {
        let failed = |why: String| ExecuteError::Failed(PortError::new(ErrorKind::Internal, why));
        match self {
            Self::Applied(done) => {
                let applied = |one: Done| Applied {
                    product: Arc::new(one.product),
                    previous_stock: one.previous_stock,
                    changed: one.changed,
                };
                Ok(Outcome::Applied(done.into_iter().map(applied).collect()))
            }
            Self::Rejected(refused) => {
                Err(ExecuteError::Rejected(refused.into_iter().map(Refused::refusal).collect()))
            }
            Self::Overloaded(why) => Err(ExecuteError::Overloaded(why)),
            Self::OutcomeUnknown(why) => Err(ExecuteError::OutcomeUnknown(why)),
            Self::Failed(why) => Err(failed(why)),
            Self::KeeperIsSet => Err(failed("the door answered another question".to_owned())),
        }
    }
}

/// Writes a message.
pub(super) async fn send<T: Serialize>(to: &mut (impl AsyncWrite + Unpin), message: &T) -> Result<()> {
    let json = serde_json::to_vec(message)?;
    let length = u32::try_from(json.len()).ok().filter(|length| *length <= MOST_BYTES);
    let length = length.ok_or_else(|| Error::new(IoErrorKind::InvalidInput, "the message is too long"))?;
    to.write_all(&length.to_be_bytes()).await?;
    to.write_all(&json).await?;
    to.flush().await
}

/// Reads a message; `None` when the other side is gone in order.
pub(super) async fn receive<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length).await {
        Ok(_) => {}
        Err(error) if error.kind() == IoErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = u32::from_be_bytes(length);
    if length > MOST_BYTES {
        return Err(Error::new(IoErrorKind::InvalidData, "the message is too long"));
    }
    let mut json = vec![0; length as usize];
    from.read_exact(&mut json).await?;
    Ok(Some(serde_json::from_slice(&json)?))
}
