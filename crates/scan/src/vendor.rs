//! Who a hardware address is registered to: a hint, often the maker of a network module and not of the device.
//!
//! The tables are IEEE's CSV files, given by the user or installed by Debian's `ieee-data`; none is shipped.

use crate::observed::is_local_mac;
use std::path::Path;

/// Where Debian's package `ieee-data` puts the registries MA-L, MA-M, MA-S and IAB.
pub const SYSTEM_TABLES: [&str; 4] = [
    "/usr/share/ieee-data/oui.csv",
    "/usr/share/ieee-data/mam.csv",
    "/usr/share/ieee-data/oui36.csv",
    "/usr/share/ieee-data/iab.csv",
];

/// Whom the registries give a block to in order to hand out parts of it: a subdivided block is no vendor.
const AUTHORITY: &str = "IEEE Registration Authority";

/// What a hardware address says of its maker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint<'a> {
    /// Made up by the device or its administrator, as phones do for every network: says nothing of the maker.
    Local,
    /// A group address: no device has it.
    Group,
    /// Registered to this organisation.
    Registered(&'a str),
    /// In no table here.
    Unknown,
}

/// Registered prefixes.
#[derive(Clone, Debug, Default)]
pub struct Vendors {
    /// Length in bits, prefix in the low bits, and where the name stands in `names`; sorted.
    rows: Vec<(u8, u64, u32, u32)>,
    names: String,
}

impl Vendors {
    /// Reads tables in IEEE's form: `Registry,Assignment,Organization Name,…`. Rows of another form are passed over.
    pub fn read<'t>(tables: impl IntoIterator<Item = &'t str>) -> Vendors {
        let mut vendors = Vendors::default();
        for table in tables {
            let mut reader =
                csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(table.as_bytes());
            for row in reader.records().flatten() {
                let (Some(digits), Some(name)) = (row.get(1), row.get(2)) else { continue };
                vendors.add(digits.trim(), name);
            }
        }
        vendors.rows.sort_unstable();
        // The same prefix twice: the one that was read first.
        vendors.rows.dedup_by_key(|row| (row.0, row.1));
        vendors
    }

    /// The tables of the system, as far as they are there.
    pub fn system() -> Vendors {
        let texts: Vec<String> = SYSTEM_TABLES.iter().filter_map(|path| text(Path::new(path))).collect();
        Vendors::read(texts.iter().map(String::as_str))
    }

    /// How many prefixes it knows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What an address says, by its longest registered prefix.
    pub fn hint(&self, mac: [u8; 6]) -> Hint<'_> {
        if mac[0] & 1 != 0 {
            return Hint::Group;
        }
        if is_local_mac(mac) {
            return Hint::Local;
        }
        let bits = mac.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        for length in [36_u8, 28, 24] {
            let prefix = bits >> (48 - length);
            if let Ok(at) = self.rows.binary_search_by_key(&(length, prefix), |row| (row.0, row.1))
                && let Some((_, _, start, end)) = self.rows.get(at)
                && let Some(name) = self.names.get(*start as usize..*end as usize)
            {
                return Hint::Registered(name);
            }
        }
        Hint::Unknown
    }

    fn add(&mut self, digits: &str, name: &str) {
        let length = match digits.len() {
            6 => 24,
            7 => 28,
            9 => 36,
            _ => return,
        };
        let Ok(prefix) = u64::from_str_radix(digits, 16) else { return };
        let name: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
        let name = name.trim();
        if name.is_empty() || name.eq_ignore_ascii_case(AUTHORITY) {
            return;
        }
        let start = self.names.len();
        self.names.push_str(name);
        if let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(self.names.len())) {
            self.rows.push((length, prefix, start, end));
        }
    }
}

/// A table's text; bytes that are not UTF-8 stand in names only and are replaced.
fn text(path: &Path) -> Option<String> {
    std::fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "Registry,Assignment,Organization Name,Organization Address\n\
        MA-L,D49524,\"Clover Network, Inc.\",\"x\ny\"\n\
        MA-L,70B3D5,IEEE Registration Authority,x\n\
        MA-M,70B3D51,Middle,x\n\
        MA-S,70B3D5F2F,Small,x\n\
        MA-L,525400,Never asked,x\n\
        MA-L,zz,bad,x\nshort\n\"unclosed";

    #[test]
    fn the_longest_prefix_counts() {
        let vendors = Vendors::read([TABLE]);
        assert_eq!(vendors.len(), 4);
        for (mac, hint) in [
            ([0xd4, 0x95, 0x24, 0, 0, 1], Hint::Registered("Clover Network, Inc.")),
            ([0x70, 0xb3, 0xd5, 0xf2, 0xf0, 1], Hint::Registered("Small")),
            ([0x70, 0xb3, 0xd5, 0x1f, 0, 1], Hint::Registered("Middle")),
            ([0x70, 0xb3, 0xd5, 0xe0, 0, 1], Hint::Unknown),
            ([0x52, 0x54, 0, 0, 0, 1], Hint::Local),
            ([0x01, 0, 0x5e, 0, 0, 1], Hint::Group),
        ] {
            assert_eq!(vendors.hint(mac), hint, "{mac:x?}");
        }
        assert_eq!(Vendors::default().hint([0xd4, 0x95, 0x24, 0, 0, 1]), Hint::Unknown);
        assert_eq!(Vendors::default().hint([2, 0, 0, 0, 0, 1]), Hint::Local, "the bit needs no table");
    }

    #[test]
    fn no_table_panics() {
        let mut state = 0x5eed_u64;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for _ in 0..20_000 {
            let mut bytes = TABLE.as_bytes().to_vec();
            for _ in 0..4 {
                let at = next() as usize % bytes.len();
                bytes[at] = next() as u8;
            }
            let text = String::from_utf8_lossy(&bytes);
            let vendors = Vendors::read([&*text]);
            let _ = vendors.hint([0x70, 0xb3, 0xd5, 0xf2, 0xf0, 1]);
        }
    }
}
