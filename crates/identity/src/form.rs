//! Parameters as OAuth writes them: `application/x-www-form-urlencoded`, in a query or a body.

/// The longest query or body that is looked at, in bytes.
pub(crate) const LONGEST: usize = 8 * 1_024;

/// More parameters than any request of ours has.
const MOST: usize = 64;

/// Why parameters are not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadForm {
    /// More than [`LONGEST`] bytes or [`MOST`] parameters.
    #[error("the request is too long")]
    TooLong,
    /// RFC 6749, section 3.1: a parameter must not be included more than once.
    #[error("a parameter is given more than once")]
    Repeated,
}

/// Parameters, each with another name.
#[derive(Debug)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a query (without its `?`) or a body.
    pub(crate) fn parse(text: &str) -> Result<Self, BadForm> {
        if text.len() > LONGEST {
            return Err(BadForm::TooLong);
        }
        let mut all: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if all.len() == MOST {
                return Err(BadForm::TooLong);
            }
            if all.iter().any(|(seen, _)| *seen == name) {
                return Err(BadForm::Repeated);
            }
            all.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(all))
    }

    /// The parameter's value. RFC 6749, section 3.1: one without a value counts as left out.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(each, _)| each == name)?;
        (!value.is_empty()).then_some(value.as_str())
    }
}

/// The URL with parameters added to its query, which it may have already (RFC 6749, section 3.1).
pub(crate) fn with_query(url: &str, parameters: &[(&str, &str)]) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{url}{separator}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let hostile = "a&b=c d\r\n<\"'>%+#ä";
        let url = with_query("http://127.0.0.1/x", &[("state", hostile), ("code", "1")]);
        let (_, query) = url.split_once('?').expect("a query");
        assert!(query.bytes().all(|b| b.is_ascii_alphanumeric() || b"%+-._*=&".contains(&b)));
        let read = Parameters::parse(query).expect("well-formed");
        assert_eq!((read.value("state"), read.value("code")), (Some(hostile), Some("1")));
        assert_eq!(with_query("http://h/?a=b", &[("c", "d")]), "http://h/?a=b&c=d");
    }

    #[test]
    fn an_empty_parameter_counts_as_left_out_and_a_repeated_one_is_refused() {
        let read = Parameters::parse("a=&b=1").expect("well-formed");
        assert_eq!((read.value("a"), read.value("b"), read.value("c")), (None, Some("1"), None));
        for text in ["a=1&a=1", "a=1&%61=2", "a=&a=1"] {
            assert_eq!(Parameters::parse(text).err(), Some(BadForm::Repeated), "{text}");
        }
    }

    #[test]
    fn too_much_is_refused() {
        let long = format!("a={}", "x".repeat(LONGEST));
        assert_eq!(Parameters::parse(&long).err(), Some(BadForm::TooLong));
        let many: Vec<String> = (0..=MOST).map(|n| format!("a{n}=1")).collect();
        assert_eq!(Parameters::parse(&many.join("&")).err(), Some(BadForm::TooLong));
    }
}
