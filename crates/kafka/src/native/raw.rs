//! The edges of C: strings, error codes, buffers for error texts.

use std::ffi::{CStr, CString, c_char, c_int};

use rdkafka::bindings as c;

use crate::{
    Error,
    error::{Code, ErrorKind},
};

// The same functions as in the bindings, with plain numbers where the bindings say `enum`.
unsafe extern "C" {
    fn rd_kafka_err2name(code: c_int) -> *const c_char;
    fn rd_kafka_err2str(code: c_int) -> *const c_char;
    fn rd_kafka_error_code(error: *const c::rd_kafka_error_t) -> c_int;
    pub(super) fn rd_kafka_event_error(event: *mut c::rd_kafka_event_t) -> c_int;
    pub(super) fn rd_kafka_topic_result_error(result: *const c::rd_kafka_topic_result_t) -> c_int;
    pub(super) fn rd_kafka_ConfigResource_error(resource: *const c::rd_kafka_ConfigResource_t) -> c_int;
    pub(super) fn rd_kafka_ConfigEntry_source(entry: *const c::rd_kafka_ConfigEntry_t) -> c_int;
    pub(super) fn rd_kafka_TopicDescription_authorized_operations(
        topic: *const c::rd_kafka_TopicDescription_t,
        count: *mut usize,
    ) -> *const c_int;
    pub(super) fn rd_kafka_metadata(
        client: *mut c::rd_kafka_t,
        all_topics: c_int,
        topic: *mut c::rd_kafka_topic_t,
        metadata: *mut *const c::rd_kafka_metadata,
        timeout_ms: c_int,
    ) -> c_int;
    pub(super) fn rd_kafka_list_groups(
        client: *mut c::rd_kafka_t,
        group: *const c_char,
        list: *mut *const c::rd_kafka_group_list,
        timeout_ms: c_int,
    ) -> c_int;
    pub(super) fn rd_kafka_fatal_error(client: *mut c::rd_kafka_t, text: *mut c_char, size: usize) -> c_int;
    pub(super) fn rd_kafka_flush(client: *mut c::rd_kafka_t, timeout_ms: c_int) -> c_int;
}

/// The code in a field that the bindings declare as an enum.
///
/// # Safety
/// `field` points to a readable `rd_kafka_resp_err_t`.
pub(super) unsafe fn code_at(field: *const c::rd_kafka_resp_err_t) -> Code {
    // SAFETY: a C enum is an int, and the caller promises that it can be read.
    Code(unsafe { field.cast::<c_int>().read() })
}

/// A copy of a C string; `None` for a null pointer. Bytes that are not UTF-8 are replaced.
///
/// # Safety
/// `text` is null or points to a string that ends in a zero byte.
pub(super) unsafe fn text(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, and the caller promises the rest.
    Some(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// A text on its way to C.
pub(super) fn c_string(text: &str) -> Result<CString, Error> {
    CString::new(text)
        .map_err(|_| Error::new(ErrorKind::InvalidRequest, "INVALID_REQUEST", format!("{text:?} contains a zero byte")))
}

/// The elements of an array that C owns.
///
/// # Safety
/// `first` points to `count` readable elements which outlive `'a`; it may be null if `count` is 0.
pub(super) unsafe fn slice<'a, T>(first: *const T, count: usize) -> &'a [T] {
    if first.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: not null, and the caller promises the rest.
    unsafe { std::slice::from_raw_parts(first, count) }
}

impl Code {
    /// Kafka's name, or librdkafka's.
    pub(crate) fn name(self) -> String {
        // SAFETY: takes any number; the string is static or thread-local and copied at once.
        self.kafka_name()
            .map(str::to_owned)
            .or_else(|| unsafe { text(rd_kafka_err2name(self.0)) })
            .unwrap_or_else(|| self.0.to_string())
    }

    /// The error, with the broker's sentence where there is one.
    pub(crate) fn error(self, sentence: Option<String>) -> Error {
        // SAFETY: as above.
        let library = || unsafe { text(rd_kafka_err2str(self.0)) };
        let message = sentence.filter(|s| !s.is_empty()).or_else(library).unwrap_or_default();
        // librdkafka tells by a prefix where the error arose; its names tell that already.
        let message = message.strip_prefix("Broker: ").or_else(|| message.strip_prefix("Local: ")).unwrap_or(&message);
        Error::new(self.kind(), &self.name(), message)
    }
}

/// An error object of librdkafka, as ours.
///
/// # Safety
/// `error` is a live error object; it is only read.
pub(super) unsafe fn error_of(error: *const c::rd_kafka_error_t) -> Result<(), Error> {
    // SAFETY: the caller promises a live object (null is taken too and means no error).
    let (code, sentence) = unsafe {
        let code = Code(rd_kafka_error_code(error));
        if code == Code::NONE {
            return Ok(());
        }
        (code, text(c::rd_kafka_error_string(error)))
    };
    Err(code.error(sentence))
}

/// The code of an error object, which is consumed.
///
/// # Safety
/// `error` is null or a live error object that nobody else destroys.
pub(super) unsafe fn take_code(error: *mut c::rd_kafka_error_t) -> Option<Code> {
    if error.is_null() {
        return None;
    }
    // SAFETY: live and ours, as promised.
    unsafe {
        let code = Code(rd_kafka_error_code(error));
        c::rd_kafka_error_destroy(error);
        Some(code)
    }
}

/// Room for the texts that librdkafka writes about what it refuses.
pub(super) struct ErrorText([c_char; 512]);

impl ErrorText {
    pub(super) fn new() -> ErrorText {
        ErrorText([0; 512])
    }

    pub(super) fn buffer(&mut self) -> *mut c_char {
        self.0.as_mut_ptr()
    }

    pub(super) fn size(&self) -> usize {
        self.0.len()
    }

    pub(super) fn invalid(&self) -> Error {
        // SAFETY: librdkafka ends what it writes with a zero byte, and the buffer began as zeroes.
        let message = unsafe { text(self.0.as_ptr()) }.unwrap_or_default();
        Error::new(ErrorKind::InvalidRequest, "INVALID_REQUEST", message)
    }
}
