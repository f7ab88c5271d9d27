//! Who can switch a version off, where, and how it comes back.

use super::*;

const THROWN: Option<FailureCode> = Some(FailureCode::Exception);

fn at(sys_id: &str, route: &'static str) -> Place {
    Place { owner_id: "acme".into(), sys_id: sys_id.into(), route: route.into() }
}

fn here() -> Place {
    at("web", "/login")
}

/// A run as a request makes it: `fails` says what comes of it, if it is run.
fn run(breakers: &Breakers, place: &Place, user: u32, now_ms: i64, fails: bool) -> Admission {
    let user = user.to_string();
    let admission = breakers.admit(place, Some(&user), now_ms);
    if admission != Admission::Refused {
        breakers.count(place, &user, now_ms, THROWN.filter(|_| fails), admission);
    }
    admission
}

/// A version that has failed for many users at one place.
fn tripped() -> Breakers {
    let breakers = Breakers::default();
    for user in 0..RUNS {
        assert_eq!(run(&breakers, &here(), user, 0, true), Admission::Usual, "{user}");
    }
    breakers
}

#[test]
fn half_of_twenty_runs_within_a_minute_switch_it_off_there_and_nowhere_else() {
    let breakers = Breakers::default();
    // A place is known from its first failure on.
    for user in 0..40 {
        assert_eq!(run(&breakers, &here(), user, 0, user % 3 != 0), if user <= 20 { Admission::Usual } else { Admission::Refused });
    }
    for other in [at("app", "/login"), at("web", "/logout")] {
        assert_eq!(breakers.admit(&other, Some("0"), 0), Admission::Usual);
    }
    let untold = breakers.untold();
    let expected = Tripped { code: FailureCode::Exception, at_ms: 0 };
    assert_eq!(untold, [Switch { place: here(), tripped: Some(expected) }]);
}

#[test]
fn few_failures_old_ones_and_those_that_are_nobodys_fault_do_not() {
    let (few, old, queued) = (Breakers::default(), Breakers::default(), Breakers::default());
    for number in 0..1000 {
        run(&few, &here(), number, 0, number % 3 == 0);
        run(&old, &here(), number, i64::from(number) * SPAN_MS / 10, true);
        queued.count(&here(), &number.to_string(), 0, Some(FailureCode::QueueFull), Admission::Usual);
    }
    for breakers in [few, old, queued] {
        assert_eq!(breakers.admit(&here(), Some("0"), 0), Admission::Usual);
    }
}

#[test]
fn two_users_alone_never_do() {
    let breakers = Breakers::default();
    for number in 0..10_000 {
        assert_eq!(run(&breakers, &here(), number % 2, 0, true), Admission::Usual);
    }
}

#[test]
fn it_is_tried_a_little_and_comes_back_if_it_works() {
    let breakers = tripped();
    let (before, after) = (WAIT_MS - 1, WAIT_MS);
    assert_eq!(run(&breakers, &here(), 1, before, false), Admission::Refused);
    assert_eq!(breakers.admit(&here(), None, after), Admission::Refused, "a refusal tries nothing");
    for user in 0..TRIALS {
        // One run of each user, and one failure does not decide.
        assert_eq!(run(&breakers, &here(), user, after, user == 0), Admission::Trial);
        if user + 1 < TRIALS {
            assert_eq!(run(&breakers, &here(), user, after, false), Admission::Refused);
        }
    }
    assert_eq!(run(&breakers, &here(), 1, after, false), Admission::Usual);
    assert!(breakers.untold().is_empty(), "nobody had been told");
}

#[test]
fn where_few_users_are_it_comes_back_after_a_while() {
    let breakers = tripped();
    assert_eq!(run(&breakers, &here(), 1, WAIT_MS, false), Admission::Trial);
    assert_eq!(run(&breakers, &here(), 1, WAIT_MS + TRIAL_MS - 1, false), Admission::Refused);
    assert_eq!(run(&breakers, &here(), 1, WAIT_MS + TRIAL_MS, false), Admission::Usual);
}

#[test]
fn trials_in_vain_come_ever_more_seldom() {
    let breakers = tripped();
    let (mut now, mut tried) = (0, Vec::new());
    while tried.len() < 40 {
        now += 1_000;
        if run(&breakers, &here(), u32::try_from(now / 1_000).unwrap(), now, true) == Admission::Trial {
            tried.push(now);
        }
    }
    // Five runs a trial; from the first of one to the first of the next.
    let waits: Vec<i64> = tried.iter().step_by(5).zip(tried.iter().step_by(5).skip(1)).map(|(one, next)| next - one).collect();
    assert!(waits.is_sorted() && waits.iter().all(|wait| *wait >= 2 * WAIT_MS), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= LONGEST_WAIT_MS + 2 * TRIAL_MS), "{waits:?}");
}

#[test]
fn a_trial_without_an_answer_is_no_trial() {
    let breakers = tripped();
    for user in 0..TRIALS {
        assert_eq!(breakers.admit(&here(), Some(&user.to_string()), WAIT_MS), Admission::Trial);
    }
    assert_eq!(breakers.admit(&here(), Some("9"), WAIT_MS + TRIAL_MS - 1), Admission::Refused);
    assert_eq!(breakers.admit(&here(), Some("9"), WAIT_MS + TRIAL_MS), Admission::Trial);
}

#[test]
fn what_one_node_finds_holds_on_the_others_until_one_takes_it_back() {
    let (one, other) = (tripped(), Breakers::default());
    let [switch] = &one.untold()[..] else { panic!("nothing to tell") };
    one.tell(switch);
    assert!(one.untold().is_empty());
    let told = [(here(), switch.tripped.unwrap())];
    for breakers in [&one, &other] {
        breakers.take_over(&told, 5);
        assert_eq!(breakers.admit(&here(), Some("1"), 5), Admission::Refused);
        assert!(breakers.untold().is_empty());
    }
    // It works again on one of them.
    for user in 0..TRIALS {
        run(&other, &here(), user, WAIT_MS, false);
    }
    let [switch] = &other.untold()[..] else { panic!("nothing to tell") };
    assert_eq!((&switch.place, switch.tripped), (&here(), None));
    other.take_over(&told, WAIT_MS);
    assert_eq!(other.admit(&here(), Some("1"), WAIT_MS), Admission::Usual, "it is told in a moment");
    other.tell(switch);
    for breakers in [&one, &other] {
        breakers.take_over(&[], WAIT_MS);
        assert_eq!(breakers.admit(&here(), Some("1"), WAIT_MS), Admission::Usual);
        assert!(breakers.untold().is_empty());
    }
}

#[test]
fn however_many_places_there_are_few_are_kept() {
    let breakers = Breakers::default();
    for number in 0..3 * PLACES {
        run(&breakers, &at(&number.to_string(), "/login"), 1, 0, true);
    }
    assert_eq!(breakers.lock().len(), PLACES);
    run(&breakers, &here(), 1, SPAN_MS, true);
    assert_eq!(breakers.lock().len(), 1, "those of a minute ago make room");
}

/// Every run counts in one span and in one only, however many threads find the span over at once.
#[test]
fn no_run_is_lost_where_a_span_ends() {
    const THREADS: u32 = 4;
    const RUNS_OF_THREAD: u32 = 4;
    for round in 0..3_000_i64 {
        let breakers = Breakers::default();
        // Its span is over when the threads come.
        run(&breakers, &here(), 0, round, true);
        let together = std::sync::Barrier::new(THREADS as usize);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (breakers, together) = (&breakers, &together);
                scope.spawn(move || {
                    together.wait();
                    for number in 0..RUNS_OF_THREAD {
                        // A little before or behind each other.
                        let now_ms = round + SPAN_MS + i64::from((thread + number) % 3);
                        breakers.count(&here(), &thread.to_string(), now_ms, THROWN, Admission::Usual);
                    }
                });
            }
        });
        let places = breakers.lock();
        let State::Closed(span) = &places[&here()].state else { panic!("too few to trip") };
        assert_eq!(span.runs, THREADS * RUNS_OF_THREAD, "round {round}");
    }
}
