//! How much is nested in an array or a map. The interpreter counts that itself where it assigns, and not where a function of ours puts an
//! element in; uncounted, an array could hold one large text in every place, and a copy, a comparison or a `switch` of it would
//! last for seconds without a step.

use rhai::{Array, Dynamic, EvalAltResult, Position};

use crate::budget::Fallible;
use crate::limits;

/// How many elements are put in between two counts of the whole. What one of them may hold uncounted is a share of this size,
/// so that the whole never exceeds twice the limits.
const BETWEEN: usize = 256;

/// Elements and bytes of text.
#[derive(Clone, Copy, Default)]
struct Size {
    elements: usize,
    text: usize,
}

impl Size {
    fn add(&mut self, value: &Dynamic) {
        self.elements += 1;
        if let Ok(array) = value.as_array_ref() {
            array.iter().for_each(|element| self.add(element));
        } else if let Ok(map) = value.as_map_ref() {
            map.iter().for_each(|(name, member)| {
                self.text += name.len();
                self.add(member);
            });
        } else if let Ok(text) = value.as_immutable_string_ref() {
            self.text += text.len();
        }
    }

    const fn exceeds(self, share: usize) -> bool {
        self.elements > limits::ELEMENTS / share || self.text > limits::STRING / share
    }
}

/// Fails if the array holds too much since an element was put at this place. Counting the whole for every small element would
/// make a long array slow to build.
pub(super) fn check_grown(array: &Array, place: usize) -> Fallible<()> {
    let mut size = Size::default();
    array.get(place).into_iter().for_each(|element| size.add(element));
    if !size.exceeds(BETWEEN) && !array.len().is_multiple_of(BETWEEN) {
        return Ok(());
    }
    let mut whole = Size::default();
    for element in array {
        whole.add(element);
    }
    if whole.exceeds(1) { too_large() } else { Ok(()) }
}

/// Fails if a variable that is read now, and may be copied, holds more than twice the limits: the names of a map are nobody
/// else's to count.
pub(crate) fn check_variable(value: Option<&Dynamic>) -> Fallible<()> {
    let Some(value) = value.filter(|value| value.is_map() || value.is_array()) else { return Ok(()) };
    let mut size = Size::default();
    size.add(value);
    if size.elements > 2 * limits::ELEMENTS || size.text > 2 * limits::STRING { too_large() } else { Ok(()) }
}

fn too_large() -> Fallible<()> {
    Err(EvalAltResult::ErrorDataTooLarge("Size of array or map".to_owned(), Position::NONE).into())
}
