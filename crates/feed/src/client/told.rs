//! Which reasons were told already: each once, not ten times a second.

/// More than take turns while one thing is wrong; beyond it they are told again.
const MOST: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Told(Vec<String>);

impl Told {
    /// Whether this was not told yet. Reasons that take turns are each told once.
    pub(super) fn is_news(&mut self, why: &str) -> bool {
        if self.0.iter().any(|told| told == why) {
            return false;
        }
        if self.0.len() == MOST {
            self.0.clear();
        }
        self.0.push(why.to_owned());
        true
    }

    /// What was wrong is over.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_told_once_until_it_is_over() {
        let mut told = Told::default();
        let news = ["a", "b", "a", "b", "a"].map(|why| told.is_news(why));
        assert_eq!(news, [true, true, false, false, false]);
        told.forget();
        assert!(told.is_news("a"));
        for other in 0..=MOST {
            assert!(told.is_news(&other.to_string()));
        }
        assert!(told.0.len() <= MOST);
    }
}
