//! What is measured, written as OpenMetrics has it: one way for the authority and for the edge. What
//! there is to measure is said by each of them.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The media type of [`text`].
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One thing that is measured.
#[derive(Debug)]
pub(crate) struct Metric {
    /// Its name; a counter's without `_total`.
    pub(crate) name: &'static str,
    /// What it says.
    pub(crate) help: &'static str,
    /// How much it is.
    pub(crate) value: Value,
}

/// How much something is.
#[derive(Debug)]
pub(crate) enum Value {
    /// What may rise and fall.
    Gauge(u64),
    /// A time or a length of time.
    Seconds(f64),
    /// What only rises.
    Counter(u64),
    /// How often something took how long.
    Histogram(Histogram),
    /// What may rise and fall, of each verifier by its name.
    GaugeOfEach(Vec<(String, u64)>),
    /// A length of time, of each verifier by its name.
    SecondsOfEach(Vec<(String, f64)>),
}

/// All of these, at this moment.
pub(crate) fn text(metrics: Vec<Metric>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Measured(metrics)));
    let mut text = String::new();
    encode(&mut text, &registry).expect("a String takes all");
    text
}

#[derive(Debug)]
struct Measured(Vec<Metric>);

impl Collector for Measured {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        for Metric { name, help, value } in &self.0 {
            let kind = match value {
                Value::Counter(_) => MetricType::Counter,
                Value::Histogram(_) => MetricType::Histogram,
                _ => MetricType::Gauge,
            };
            let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
            match value {
                Value::Gauge(value) => metric.encode_gauge(value)?,
                Value::Seconds(value) => metric.encode_gauge(value)?,
                Value::Counter(value) => {
                    metric.encode_counter::<NoLabelSet, _, u64>(value, None)?;
                }
                Value::Histogram(value) => value.encode(metric)?,
                Value::GaugeOfEach(values) => {
                    for (verifier, value) in values {
                        metric
                            .encode_family(&[("verifier", verifier.as_str())])?
                            .encode_gauge(value)?;
                    }
                }
                Value::SecondsOfEach(values) => {
                    for (verifier, value) in values {
                        metric
                            .encode_family(&[("verifier", verifier.as_str())])?
                            .encode_gauge(value)?;
                    }
                }
            }
        }
        Ok(())
    }
}
