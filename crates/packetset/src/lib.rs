//! Exact sets of packets: cubes at the edges, interval decision diagrams (IDD) in between.
//!
//! A packet is a point with one value per [`Field`]. A [`Cube`] is a product of ranges. A diagram maps every
//! point to a small number (a verdict); nodes are hash-consed, one level per field, so equal functions are
//! equal ids.

mod cube;
mod diagram;
mod field;

pub use cube::{Cube, Point};
pub use diagram::{Diagram, Marks, Node, Pick};
pub use field::Field;
