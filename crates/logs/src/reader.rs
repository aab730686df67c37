//! Lines in, records out: the header taken off, the format found anew for each line, so that mixed streams are read.

use crate::formats::{self, FORMATS, Format};
use crate::header::{self, Head};
use crate::record::{Line, Record, Time};

/// What a line was read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading<'a> {
    /// The format's name; none where no format knows the line.
    pub format: Option<&'static str>,
    /// When the line was written, as its header says, or its body where that is nearer to the packet.
    pub time: Option<Time>,
    /// Who sent it.
    pub host: Option<&'a [u8]>,
    /// What it says.
    pub line: Line<'a>,
}

/// Reads lines one after the other. What was read last is tried first: streams mostly have one format.
#[derive(Default)]
pub struct Reader {
    last: usize,
    windows: formats::windows::Columns,
    vpcflow: formats::vpcflow::Columns,
}

impl Reader {
    /// Reads a line, without its line break.
    pub fn read<'a>(&mut self, line: &'a [u8]) -> Reading<'a> {
        // Files with a line of column names have no header before their lines.
        if let Some(columns) = formats::windows::Columns::of(line) {
            self.windows = columns;
            return other("windows");
        }
        if let Some(columns) = formats::vpcflow::Columns::of(line) {
            self.vpcflow = columns;
            return other("vpcflow");
        }
        let Head { time, host, message } = header::strip(line);
        let reading = |format: &'static str, read: Line<'a>| {
            let own = match &read {
                Line::Flow(Record { time, .. }) => *time,
                _ => None,
            };
            Reading { format: Some(format), time: own.or(time), host, line: read }
        };
        let is_mine = |format: &Format| (format.is_mine)(message);
        if let Some(format) = FORMATS.get(self.last).filter(|f| is_mine(f)) {
            return reading(format.name, (format.read)(message));
        }
        if let Some(at) = FORMATS.iter().position(is_mine) {
            self.last = at;
            return reading(FORMATS[at].name, (FORMATS[at].read)(message));
        }
        if formats::windows::is_mine(line) {
            return reading("windows", formats::windows::read_by(&self.windows, line));
        }
        if formats::vpcflow::is_mine(line) {
            return reading("vpcflow", formats::vpcflow::read_by(&self.vpcflow, line));
        }
        Reading { format: None, time, host, line: Line::Unread("format") }
    }
}

fn other(format: &'static str) -> Reading<'static> {
    Reading { format: Some(format), time: None, host: None, line: Line::Other }
}
