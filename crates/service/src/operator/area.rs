//! Areas of a tenant, imported from CSV: `code,parent,name`.

use std::collections::HashMap;
use std::io::Read;

use bo_auth_core::identifier::{AreaCode, OwnerId};
use bo_auth_store::record::{Administration, AreaRecord};
use serde_json::json;

use super::{Operator, refusal};
use crate::Error;

/// How many rows stand in one transaction.
const ROWS_AT_A_TIME: usize = 2_000;

/// How deep areas may lie in one another.
const DEEPEST: usize = 16;

/// Reads `code,parent,name` rows; a first row that says `code` is taken as a heading.
///
/// # Errors
/// [`Error::Refused`] with the line of the first row that is not usable: no code, a code twice, a parent that is not in
/// the file, or a circle.
pub fn read_areas(mut source: impl Read) -> Result<Vec<AreaRecord>, Error> {
    let mut text = Vec::new();
    source.read_to_end(&mut text).map_err(|error| Error::Refused(error.to_string()))?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).trim(csv::Trim::All).flexible(true).from_reader(text.as_slice());
    let mut areas: Vec<AreaRecord> = Vec::new();
    let mut lines: HashMap<AreaCode, (usize, Option<AreaCode>)> = HashMap::new();
    let mut place = Place { text: &text, offset: 0, line: 1 };
    for row in reader.records() {
        let line = place.line_of(row.as_ref().map_or_else(csv::Error::position, csv::StringRecord::position));
        let refuse = |what: &str| Error::Refused(format!("line {line}: {what}"));
        let row = row.map_err(|_| refuse("not readable as CSV in UTF-8"))?;
        let [code, parent, name] = [row.get(0), row.get(1), row.get(2)].map(Option::unwrap_or_default);
        let code = code.trim_start_matches('\u{feff}');
        if line == 1 && code.eq_ignore_ascii_case("code") {
            continue;
        }
        if row.len() != 3 || name.is_empty() {
            return Err(refuse("it must have three columns: code, parent (may be empty), name"));
        }
        if name.contains('\0') {
            return Err(refuse("the name holds the character U+0000"));
        }
        let area_code = AreaCode::parse(code).map_err(|_| refuse("the code is not an identifier"))?;
        let parent_code =
            (!parent.is_empty()).then(|| AreaCode::parse(parent)).transpose().map_err(|_| refuse("the parent is not an identifier"))?;
        if let Some((earlier, _)) = lines.insert(area_code.clone(), (line, parent_code.clone())) {
            return Err(refuse(&format!("the code stands in line {earlier} already")));
        }
        areas.push(AreaRecord { area_code, parent_code, name: name.to_owned() });
    }
    for area in &areas {
        verify_ancestors(area, &lines)?;
    }
    Ok(areas)
}

/// How far a file has been read. Rows are not lines: empty lines are none, and one in quotes may have several.
struct Place<'a> {
    text: &'a [u8],
    offset: usize,
    line: usize,
}

impl Place<'_> {
    /// The line in which the row that is found at `position` begins, past the empty ones before it.
    fn line_of(&mut self, position: Option<&csv::Position>) -> usize {
        let found = position.and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or(self.offset);
        let ahead = self.text.get(found..).unwrap_or_default();
        let begin = found + ahead.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.line += self.text.get(self.offset..begin).unwrap_or_default().split(|byte| *byte == b'\n').skip(1).count();
        self.offset = begin;
        self.line
    }
}

/// The checks of [`read_areas`] for areas that came in another form; a line is the number of the area.
///
/// # Errors
/// [`Error::Refused`] for a code twice, a parent that is not among them, or a circle.
pub fn verify_areas(areas: &[AreaRecord]) -> Result<(), Error> {
    let mut lines = HashMap::new();
    for (position, area) in areas.iter().enumerate() {
        let line = position + 1;
        if let Some((earlier, _)) = lines.insert(area.area_code.clone(), (line, area.parent_code.clone())) {
            return Err(Error::Refused(format!("line {line}: the code stands in line {earlier} already")));
        }
    }
    areas.iter().try_for_each(|area| verify_ancestors(area, &lines))
}

fn verify_ancestors(area: &AreaRecord, lines: &HashMap<AreaCode, (usize, Option<AreaCode>)>) -> Result<(), Error> {
    let line = lines.get(&area.area_code).map_or(0, |(line, _)| *line);
    let mut parent = area.parent_code.as_ref();
    for _ in 0..DEEPEST {
        let Some(code) = parent else { return Ok(()) };
        let (_, next) = lines.get(code).ok_or_else(|| Error::Refused(format!("line {line}: parent `{code}` is not in the file")))?;
        parent = next.as_ref();
    }
    Err(Error::Refused(format!("line {line}: its parents form a circle, or lie more than {DEEPEST} deep")))
}

impl Operator {
    /// Writes areas, replacing those with the same codes; calls `progress` with how many rows are durable so far.
    /// Repeating an import that was interrupted is safe.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the tenant is unknown, [`Error::Unavailable`].
    pub async fn import_areas(&self, owner_id: &OwnerId, areas: &[AreaRecord], mut progress: impl FnMut(usize)) -> Result<(), Error> {
        self.get_tenant(owner_id).await?;
        let mut written = 0;
        let event = self.event("areas.imported", Some(json!({"areas": areas.len()})));
        for portion in areas.chunks(ROWS_AT_A_TIME) {
            // Its line of the audit trail stands with the last of it.
            let last = written + portion.len() == areas.len();
            let import = Administration::ImportAreas(portion);
            self.db.administer(owner_id, &import, None, event.at, last.then_some(&event), None).await.map_err(refusal)?;
            written += portion.len();
            progress(written);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_heading_are_read() {
        let areas = read_areas("code,parent,name\n440000,,广东省\n440100,440000,广州市\n".as_bytes()).unwrap();
        assert_eq!(areas.len(), 2);
        assert_eq!(areas[1].parent_code.as_ref().map(AreaCode::as_str), Some("440000"));
    }

    #[test]
    fn the_first_unusable_row_is_named() {
        for (text, expected) in [
            ("1,,a\n1,,b\n", "line 2: the code stands in line 1 already"),
            ("1,2,a\n", "line 1: parent `2` is not in the file"),
            ("1,2,a\n2,1,b\n", "line 1: its parents form a circle, or lie more than 16 deep"),
            ("1,,\n", "line 1: it must have three columns: code, parent (may be empty), name"),
            ("a b,,x\n", "line 1: the code is not an identifier"),
            ("1,,a\0b\n", "line 1: the name holds the character U+0000"),
            ("\n1,,a\n\r\n1,,b\n", "line 4: the code stands in line 2 already"),
            ("1,,\"a\nb\"\n1,,c\n", "line 3: the code stands in line 1 already"),
        ] {
            assert_eq!(read_areas(text.as_bytes()).unwrap_err().to_string(), expected);
        }
    }
}
