//! What firewalls log, read at memory speed: one file per format. Pure: bytes come in, records go out.

pub mod formats;
mod header;
mod reader;
mod record;
mod text;

pub use reader::{Reader, Reading};
pub use record::{Line, Record, Time, Verdict};
