//! Many readers of an event stream in one thread, the same for every server: counts frames, keeps nothing.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use memchr::memmem;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// Room for a read, shared by all readers: what the kernel holds for one connection comes in few calls.
const READ_SIZE: usize = 256 * 1024;
/// How long all readers may take to be connected and greeted.
const CONNECT_LIMIT: Duration = Duration::from_secs(60);
/// Connections opened at once: a listener's backlog has to hold them.
const CONNECTING: usize = 256;

/// What all readers have counted.
#[derive(Default)]
pub struct Counters {
    /// Frames that ended.
    pub frames: AtomicU64,
    /// Bytes, heads and chunk sizes included.
    pub bytes: AtomicU64,
    /// Readers that got their first bytes.
    greeted: AtomicUsize,
    /// Readers whose connection ended.
    ended: AtomicUsize,
    stop: AtomicBool,
}

/// Readers at work in a thread of their own.
pub struct Readers {
    /// How many.
    pub count: usize,
    /// What they counted.
    pub counters: Arc<Counters>,
    thread: Option<std::thread::JoinHandle<io::Result<()>>>,
}

impl Readers {
    /// Connects `count` readers to a path on loopback and waits until each has been greeted.
    pub fn connect(port: u16, path: &str, count: usize) -> anyhow::Result<Self> {
        let counters = Arc::new(Counters::default());
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
        let thread = std::thread::spawn({
            let counters = counters.clone();
            move || run(port, &request, count, &counters)
        });
        let readers = Self { count, counters, thread: Some(thread) };
        let began = Instant::now();
        while readers.counters.greeted.load(Ordering::Relaxed) < count {
            readers.check()?;
            if began.elapsed() > CONNECT_LIMIT {
                let greeted = readers.counters.greeted.load(Ordering::Relaxed);
                bail!(
                    "only {greeted} of {count} readers were connected within {} s",
                    CONNECT_LIMIT.as_secs()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(readers)
    }

    /// Fails when a reader was cut off.
    pub fn check(&self) -> anyhow::Result<()> {
        match self.counters.ended.load(Ordering::Relaxed) {
            0 if self.thread.as_ref().is_some_and(std::thread::JoinHandle::is_finished) => {
                bail!(
                    "the readers could not be connected; the limit of open files may be too low (ulimit -n)"
                )
            }
            0 => Ok(()),
            ended => bail!("{ended} of {} readers were cut off", self.count),
        }
    }

    /// Returns how many frames were counted.
    pub fn frames(&self) -> u64 {
        self.counters.frames.load(Ordering::Relaxed)
    }

    /// Returns how many bytes were counted.
    pub fn bytes(&self) -> u64 {
        self.counters.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.counters.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(port: u16, request: &str, count: usize, counters: &Arc<Counters>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = tokio::task::LocalSet::new();
    let buffer = Rc::new(RefCell::new(vec![0; READ_SIZE]));
    let connecting = Rc::new(tokio::sync::Semaphore::new(CONNECTING));
    let (failed, mut failure) = tokio::sync::mpsc::channel::<io::Error>(1);
    for _ in 0..count {
        let (buffer, connecting, failed) = (buffer.clone(), connecting.clone(), failed.clone());
        let (counters, request) = (counters.clone(), request.to_owned());
        tasks.spawn_local(async move {
            let permit = connecting.acquire().await.expect("the semaphore is never closed");
            let opened = async {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
                stream.write_all(request.as_bytes()).await?;
                stream.readable().await?;
                Ok::<_, io::Error>(stream)
            };
            match opened.await {
                Ok(stream) => {
                    drop(permit);
                    counters.greeted.fetch_add(1, Ordering::Relaxed);
                    read(&stream, &buffer, &counters).await;
                    counters.ended.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => drop(failed.try_send(error)),
            }
        });
    }
    tasks.block_on(&runtime, async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while !counters.stop.load(Ordering::Relaxed) {
            ticks.tick().await;
            if let Ok(error) = failure.try_recv() {
                return Err(error);
            }
        }
        Ok(())
    })
}

/// Reads until the connection ends.
async fn read(stream: &TcpStream, buffer: &RefCell<Vec<u8>>, counters: &Counters) {
    let end = memmem::Finder::new(b"\n\n");
    let mut half = false;
    while stream.readable().await.is_ok() {
        let buffer = &mut *buffer.borrow_mut();
        match stream.try_read(buffer) {
            Ok(0) => return,
            Ok(length) => {
                let bytes = &buffer[..length];
                let across = half && bytes[0] == b'\n';
                let rest = &bytes[usize::from(across)..];
                let (mut frames, mut last) = (u64::from(across), None);
                for at in end.find_iter(rest) {
                    frames += 1;
                    last = Some(at);
                }
                // A line end at the very end may be the first half of the next frame's end.
                half = rest.ends_with(b"\n") && last.is_none_or(|last| last + 2 < rest.len());
                counters.frames.fetch_add(frames, Ordering::Relaxed);
                counters.bytes.fetch_add(length as u64, Ordering::Relaxed);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
