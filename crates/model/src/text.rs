//! A message as an id with arguments. The command line renders it in the reader's language (Fluent).

/// One argument of a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arg {
    /// Data, shown as it is (escaped by whoever prints it).
    Str(String),
    /// A number, so that a language can choose its plural.
    Num(i64),
    /// A message inside the message.
    Text(Box<Text>),
}

/// A message: a Fluent id and its arguments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text {
    /// Fluent message id.
    pub id: &'static str,
    /// Arguments by name, in the order they were given.
    pub args: Vec<(&'static str, Arg)>,
}

impl Text {
    /// A message without arguments.
    pub fn new(id: &'static str) -> Self {
        Text { id, args: Vec::new() }
    }

    /// Adds a piece of data.
    pub fn arg(mut self, name: &'static str, value: impl ToString) -> Self {
        self.args.push((name, Arg::Str(value.to_string())));
        self
    }

    /// Adds a number.
    pub fn num(mut self, name: &'static str, value: usize) -> Self {
        self.args.push((name, Arg::Num(i64::try_from(value).unwrap_or(i64::MAX))));
        self
    }

    /// Adds a message as an argument.
    pub fn text(mut self, name: &'static str, value: Text) -> Self {
        self.args.push((name, Arg::Text(Box::new(value))));
        self
    }
}
