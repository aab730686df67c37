pub fn plant(t:&str)->String{t.into()}
pub const MARKS:&[(&str,&str)]=&[];
pub const LINES:usize=1;
