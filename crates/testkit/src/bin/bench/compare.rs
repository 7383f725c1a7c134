//! Control and system in turn, so that whatever the machine does meanwhile does it to both.

use anyhow::Result;

/// How many times each is measured.
pub(crate) const ROUNDS: usize = 9;

/// What a comparison came to. The figures are of whatever unit the samples have.
#[derive(Debug, Clone)]
pub(crate) struct Comparison {
    pub(crate) control: f64,
    pub(crate) system: f64,
    /// System over control, for each round, from the smallest to the largest.
    pub(crate) ratios: Vec<f64>,
}

impl Comparison {
    /// Of what is the same each time.
    pub(crate) fn once(control: f64, system: f64) -> Self {
        Self { control, system, ratios: vec![system / control] }
    }

    pub(crate) fn ratio(&self) -> f64 {
        median(&self.ratios)
    }
}

/// Measures A B A B …; the first of each only warms up.
pub(crate) fn compare(
    mut control: impl FnMut() -> Result<f64>,
    mut system: impl FnMut() -> Result<f64>,
) -> Result<Comparison> {
    control()?;
    system()?;
    compare_cold(ROUNDS, control, system)
}

/// The same for what takes long, or is there only so many times: nothing warms up.
pub(crate) fn compare_cold(
    rounds: usize,
    mut control: impl FnMut() -> Result<f64>,
    mut system: impl FnMut() -> Result<f64>,
) -> Result<Comparison> {
    let mut pairs = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        pairs.push((control()?, system()?));
    }
    let mut ratios: Vec<f64> = pairs.iter().map(|(control, system)| system / control).collect();
    ratios.sort_by(f64::total_cmp);
    let all = |pick: fn(&(f64, f64)) -> f64| median(&pairs.iter().map(pick).collect::<Vec<_>>());
    Ok(Comparison { control: all(|pair| pair.0), system: all(|pair| pair.1), ratios })
}

/// The middle of some figures.
pub(crate) fn median(figures: &[f64]) -> f64 {
    percentile(figures, 0.5)
}

/// What this share of some figures is below.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index between nothing and a few hundred thousand"
)]
pub(crate) fn percentile(figures: &[f64], share: f64) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_sample_is_compared_with_the_control_beside_it() {
        let (mut control, mut system) = (0.0, 0.0);
        let next = |figure: &mut f64, factor: f64| {
            *figure += 1.0;
            Ok(*figure * factor)
        };
        let result = compare(|| next(&mut control, 1.0), || next(&mut system, 3.0)).expect("runs");
        assert_eq!(result.ratios.len(), ROUNDS);
        assert!(result.ratios.iter().all(|ratio| (ratio - 3.0).abs() < 1e-9));
        assert!((median(&[9.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((percentile(&[9.0, 1.0, 2.0, 3.0], 0.99) - 9.0).abs() < 1e-9);
    }
}
