//! Jobs that wait, a tenant's in the order in which they came, and tenants by turns: however many jobs one of them has, the others
//! wait for no more than one of these.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Job, Undone};
use crate::limits;

/// Jobs by tenant, whose turn is next in front.
#[derive(Default)]
pub(super) struct Line {
    owners: VecDeque<(Arc<str>, VecDeque<Job>)>,
    waiting: usize,
}

impl Line {
    /// Adds a job, unless the line is full or has `most` of this tenant's already.
    pub(super) fn push(&mut self, owner: &str, job: Job, most: usize) -> Result<(), Undone> {
        let own = self.owners.iter_mut().find(|(other, _)| **other == *owner);
        if self.waiting >= limits::QUEUE || own.as_ref().is_some_and(|(_, jobs)| jobs.len() >= most) {
            return Err(Undone::Full);
        }
        match own {
            Some((_, jobs)) => jobs.push_back(job),
            None => self.owners.push_back((owner.into(), VecDeque::from([job]))),
        }
        self.waiting += 1;
        Ok(())
    }

    /// Whose turn it is.
    pub(super) fn next(&self) -> Option<Arc<str>> {
        self.owners.front().map(|(owner, _)| Arc::clone(owner))
    }

    /// Takes the next tenant's next job.
    pub(super) fn pop(&mut self) -> Option<Job> {
        let (owner, mut jobs) = self.owners.pop_front()?;
        let job = jobs.pop_front();
        if !jobs.is_empty() {
            self.owners.push_back((owner, jobs));
        }
        self.waiting -= usize::from(job.is_some());
        job
    }

    /// Moves all jobs of the next tenant to another line, behind those that it has there.
    pub(super) fn hand_over(&mut self, other: &mut Self) {
        let Some((owner, mut jobs)) = self.owners.pop_front() else { return };
        self.waiting -= jobs.len();
        other.waiting += jobs.len();
        match other.owners.iter_mut().find(|(known, _)| *known == owner) {
            Some((_, known)) => known.append(&mut jobs),
            None => other.owners.push_back((owner, jobs)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// What the jobs have written.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<String>>);

    impl Written {
        fn job(&self, letter: char) -> Job {
            let written = self.clone();
            Box::new(move || written.0.lock().unwrap().push(letter))
        }

        fn after(&self, line: &mut Line) -> String {
            while let Some(job) = line.pop() {
                job();
            }
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    #[test]
    fn tenants_take_turns() {
        let (mut line, written) = (Line::default(), Written::default());
        for (owner, letter) in [("one", 'a'), ("one", 'b'), ("one", 'c'), ("two", 'A'), ("two", 'B'), ("three", '1')] {
            line.push(owner, written.job(letter), 9).unwrap();
        }
        assert_eq!(written.after(&mut line), "aA1bBc");
        assert_eq!((line.waiting, line.next()), (0, None));
    }

    #[test]
    fn a_tenant_cannot_fill_the_line_and_all_together_can() {
        let (mut line, written) = (Line::default(), Written::default());
        for number in 0..5 {
            assert_eq!(line.push("one", written.job('x'), 3).is_ok(), number < 3);
        }
        for number in 3..limits::QUEUE + 5 {
            assert_eq!(line.push(&number.to_string(), written.job('x'), 3).is_ok(), number < limits::QUEUE);
        }
    }

    #[test]
    fn what_is_handed_over_comes_behind() {
        let (mut from, mut to, written) = (Line::default(), Line::default(), Written::default());
        for (line, owner, letter) in [(&mut from, "one", 'b'), (&mut to, "one", 'a')] {
            line.push(owner, written.job(letter), 9).unwrap();
        }
        from.push("two", written.job('x'), 9).unwrap();
        from.hand_over(&mut to);
        from.hand_over(&mut to);
        assert_eq!((from.waiting, to.waiting), (0, 3));
        assert_eq!(written.after(&mut to), "axb");
    }
}
