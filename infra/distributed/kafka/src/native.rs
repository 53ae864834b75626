//! The three calls of librdkafka that rdkafka does not wrap: what a topic is, a commit whose answer comes to a queue of
//! its own, and brokers that are told to a client that runs.
//!
//! The first of them blocks its thread until the deadline at most. Every native object is owned by a guard that destroys it.

#![expect(
    unsafe_code,
    reason = "rdkafka wraps neither DescribeTopics nor rd_kafka_commit_queue nor rd_kafka_brokers_add"
)]

use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as native;
use rdkafka::client::NativeClient;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// Destroys what it points to.
struct Guard<T>(*mut T, unsafe extern "C" fn(*mut T));

impl<T> Guard<T> {
    fn new(pointer: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Result<Self, KafkaError> {
        if pointer.is_null() {
            return Err(KafkaError::AdminOpCreation("librdkafka is out of memory".to_owned()));
        }
        Ok(Self(pointer, destroy))
    }
}

impl<T> Drop for Guard<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the constructor that belongs to this destructor and was given to nobody.
        unsafe { (self.1)(self.0) }
    }
}

fn milliseconds(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
}

fn check(error: native::rd_kafka_resp_err_t) -> Result<(), KafkaError> {
    if error == native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        Ok(())
    } else {
        Err(KafkaError::AdminOp(Code::from(error)))
    }
}

/// Tells a client of brokers, as its settings did when it was made; it asks them for its cluster. Those that it has
/// already stay as they are.
pub(crate) fn add_brokers(client: &NativeClient, brokers: &CString) {
    // SAFETY: the client lives; the text ends with a zero byte and is copied.
    unsafe { native::rd_kafka_brokers_add(client.ptr(), brokers.as_ptr()) };
}

/// Runs one admin call: `start` sends it with the given options to the given queue; returns its event.
fn call(
    client: &NativeClient,
    operation: native::rd_kafka_admin_op_t,
    timeout: Duration,
    start: impl FnOnce(*const native::rd_kafka_AdminOptions_t, *mut native::rd_kafka_queue_t),
) -> Result<Guard<native::rd_kafka_event_t>, KafkaError> {
    let mut text = [0 as c_char; 256];
    // SAFETY: the client outlives this function, and with it queue and options, whose guards live until its end;
    // the buffer is as long as it is said to be.
    let (queue, options) = unsafe {
        let queue = Guard::new(native::rd_kafka_queue_new(client.ptr()), native::rd_kafka_queue_destroy)?;
        let options = Guard::new(
            native::rd_kafka_AdminOptions_new(client.ptr(), operation),
            native::rd_kafka_AdminOptions_destroy,
        )?;
        check(native::rd_kafka_AdminOptions_set_request_timeout(
            options.0,
            milliseconds(timeout),
            text.as_mut_ptr(),
            text.len(),
        ))?;
        (queue, options)
    };
    start(options.0, queue.0);
    // A little longer than the call itself may take: it answers with its own time-out.
    let patience = timeout + Duration::from_millis(500);
    // SAFETY: the queue is alive; the event is ours to destroy.
    unsafe {
        let event = native::rd_kafka_queue_poll(queue.0, milliseconds(patience));
        if event.is_null() {
            return Err(KafkaError::AdminOp(Code::OperationTimedOut));
        }
        let event = Guard::new(event, native::rd_kafka_event_destroy)?;
        check(native::rd_kafka_event_error(event.0))?;
        Ok(event)
    }
}

/// Makes sure that a broker answers.
fn any_answer(client: &NativeClient, timeout: Duration) -> Result<(), KafkaError> {
    let mut answer = ptr::null();
    // SAFETY: the client lives; the answer is written by the call and destroyed once.
    unsafe {
        let error = native::rd_kafka_metadata(
            client.ptr(),
            0,
            ptr::null_mut(),
            &raw mut answer,
            milliseconds(timeout),
        );
        if !answer.is_null() {
            native::rd_kafka_metadata_destroy(answer);
        }
        check(error)
    }
}

/// What a topic is at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Described {
    /// Its id; `None` when the broker gives topics none.
    pub id: Option<[u8; 16]>,
    pub partitions: usize,
}

/// Asks what a topic is. An admin call that runs out of time while brokers come and go can end the process (an assertion
/// of librdkafka 2.12 on its own book-keeping); so it is made only when a broker has just answered.
///
/// # Errors
/// `UnknownTopicOrPartition` when there is no such topic.
pub(crate) fn describe_topic(
    client: &NativeClient,
    topic: &str,
    timeout: Duration,
) -> Result<Described, KafkaError> {
    any_answer(client, timeout)?;
    let name = CString::new(topic)?;
    let mut names = [name.as_ptr()];
    // SAFETY: the names live until the end of the function and are copied.
    let topics = unsafe {
        Guard::new(
            native::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len()),
            native::rd_kafka_TopicCollection_destroy,
        )?
    };
    let operation = native::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    let event = call(client, operation, timeout, |options, queue| {
        // SAFETY: all four are alive during the call, which copies what it needs.
        unsafe { native::rd_kafka_DescribeTopics(client.ptr(), topics.0, options, queue) }
    })?;
    // SAFETY: everything read here belongs to the event, which lives until the end of the function.
    unsafe {
        let result = native::rd_kafka_event_DescribeTopics_result(event.0);
        let mut count = 0;
        let found = native::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if found.is_null() || count == 0 {
            return Err(KafkaError::AdminOp(Code::UnknownTopicOrPartition));
        }
        let error = native::rd_kafka_TopicDescription_error(*found);
        if !error.is_null() {
            check(native::rd_kafka_error_code(error))?;
        }
        let mut partitions = 0;
        native::rd_kafka_TopicDescription_partitions(*found, &raw mut partitions);
        let id = native::rd_kafka_TopicDescription_topic_id(*found);
        if id.is_null() {
            return Ok(Described { id: None, partitions });
        }
        let high = native::rd_kafka_Uuid_most_significant_bits(id);
        let low = native::rd_kafka_Uuid_least_significant_bits(id);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high.to_be_bytes());
        bytes[8..].copy_from_slice(&low.to_be_bytes());
        Ok(Described { id: (bytes != [0; 16]).then_some(bytes), partitions })
    }
}

/// A commit that is under way; its answer goes nowhere when this ends first.
pub(crate) struct PendingCommit<C: ConsumerContext + 'static> {
    answers: Guard<native::rd_kafka_queue_t>,
    /// The queue is the client's: it ends after it.
    _consumer: Arc<BaseConsumer<C>>,
}

impl<C: ConsumerContext + 'static> PendingCommit<C> {
    /// Sends positions to the group's coordinator. Does not block: rdkafka's own way of not blocking gives no answer,
    /// since librdkafka tells one only to a callback that rdkafka never sets.
    pub fn begin(
        consumer: &Arc<BaseConsumer<C>>,
        positions: &TopicPartitionList,
    ) -> Result<Self, KafkaError> {
        let client = consumer.client().native_client();
        // SAFETY: client and positions live during the call, which copies the positions and keeps the queue alive for
        // its answer; without a callback there is no opaque value.
        unsafe {
            let answers =
                Guard::new(native::rd_kafka_queue_new(client.ptr()), native::rd_kafka_queue_destroy)?;
            let begun = native::rd_kafka_commit_queue(
                client.ptr(),
                positions.ptr(),
                answers.0,
                None,
                ptr::null_mut(),
            );
            check(begun)?;
            Ok(Self { answers, _consumer: consumer.clone() })
        }
    }

    /// Returns what became of it, once that is known; blocks for `wait` at most.
    pub fn answer(&self, wait: Duration) -> Option<Result<(), KafkaError>> {
        // SAFETY: the queue is alive; the event is ours to destroy.
        let error = unsafe {
            let event = native::rd_kafka_queue_poll(self.answers.0, milliseconds(wait));
            let event = Guard::new(event, native::rd_kafka_event_destroy).ok()?;
            native::rd_kafka_event_error(event.0)
        };
        Some(check(error).map_err(|_| KafkaError::ConsumerCommit(Code::from(error))))
    }
}
