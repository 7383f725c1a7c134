//! What look-ups see while others write.

use std::sync::atomic::AtomicBool;

use super::*;

/// Has a thread look up whatever the set says that it has applied, while another writes.
fn looked_up_meanwhile(write: impl FnOnce(&RevocationSet, &[Place])) {
    let (mint, set) = (Mint::new(), RevocationSet::new());
    let places: Vec<Place> = (0..200).map(|i| Place { list: i % 3, idx: i * 400 }).collect();
    let tokens: Vec<_> = places.iter().map(|place| mint.token(0, *place, 1, 1)).collect();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut checks = 0_u64;
            while !stop.load(Ordering::Relaxed) || checks == 0 {
                let applied = usize::try_from(set.applied()).expect("small");
                let seen = |token| set.status(token) != Status::Good;
                assert!(
                    tokens.iter().take(applied).all(seen),
                    "an applied revocation was not seen"
                );
                checks += 1;
            }
        });
        write(&set, &places);
        stop.store(true, Ordering::Relaxed);
        reader.join().expect("no assertion failed");
    });
    assert_eq!(set.applied(), 200);
}

#[test]
fn what_was_applied_is_seen_by_every_thread_at_once() {
    looked_up_meanwhile(|set, places| {
        for (seq, place) in (1..).zip(places) {
            set.apply(&entry(seq, revoke(*place))).expect("in order");
        }
    });
}

#[test]
fn what_was_absorbed_is_seen_by_every_thread_at_once() {
    looked_up_meanwhile(|set, places| {
        let source = RevocationSet::new();
        for (seq, place) in (1..).zip(places) {
            source.apply(&entry(seq, revoke(*place))).expect("in order");
            if seq % 7 == 0 || seq == 200 {
                set.absorb(&source.freeze()).expect("of the same log");
            }
        }
    });
}

#[test]
fn look_ups_do_not_wait_for_a_writer() {
    let (mint, set) = (Mint::new(), RevocationSet::new());
    let _a_writer_that_does_not_end = set.write();
    assert_eq!(set.status(&mint.token(0, HERE, 1, 1)), Status::Good);
    assert_eq!((set.applied(), set.keys().len()), (0, 0));
}
