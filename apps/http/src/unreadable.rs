//! Answers to requests that hyper cannot read: a problem document with a request id, like every other error answer.
//!
//! Hyper answers these on its own, before any service is asked, with a bare head that it offers no way to change.
//! [`Answering`] stands between hyper and the socket, knows that head and writes ours in its place. Heads of the
//! service never look like it: they begin with their own headers, not with `connection`.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{Code, Problem, request_id};

/// How hyper's own refusals go on after their status line.
const BARE: &[u8] = b"connection: close\r\ncontent-length: 0\r\n";

/// A socket on which every answer has manners.
#[derive(Debug)]
pub(crate) struct Answering<S> {
    socket: S,
    /// What is to be written in place of a head of hyper's.
    instead: Bytes,
}

impl<S> Answering<S> {
    pub(crate) fn new(socket: S) -> Self {
        Self { socket, instead: Bytes::new() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Answering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> Answering<S> {
    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.instead.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_write(cx, &self.instead))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.instead.advance(written),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Answering<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_instead(cx))?;
        if let Some(answer) = in_place_of(buf) {
            self.instead = answer;
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_instead(cx))?;
        let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| &**buf);
        if let Some(answer) = in_place_of(first) {
            self.instead = answer;
            return Poll::Ready(Ok(first.len()));
        }
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(cx))?;
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// Returns our answer when `head` is a refusal of hyper's own.
fn in_place_of(head: &[u8]) -> Option<Bytes> {
    if !head.starts_with(b"HTTP/1.1 4") {
        return None;
    }
    let end_of_status = head.iter().position(|byte| *byte == b'\n')? + 1;
    // What follows is the date and the empty line.
    let rest = head[end_of_status..].strip_prefix(BARE)?;
    let detail = match &head[b"HTTP/1.1 ".len()..][..3] {
        b"414" | b"431" => {
            "the request's head is too large: send a shorter path, or fewer and shorter headers"
        }
        _ => "this is no HTTP/1.1 request: check its first line and its headers",
    };
    let id = request_id::make();
    // What cannot be read has no path, so its instance is the empty reference.
    let document = Problem::new(Code::MalformedRequest, detail).document(Some(""), Some(&id));
    let mut answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\nx-content-type-options: nosniff\r\n\
         vary: origin\r\nx-request-id: {}\r\ncontent-length: {}\r\nconnection: close\r\n",
        id.to_str().unwrap_or_default(),
        document.len()
    )
    .into_bytes();
    answer.extend_from_slice(rest);
    answer.extend_from_slice(&document);
    Some(answer.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_refusals_of_hypers_own_are_replaced() {
        for head in [
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-type: application/problem+json\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 400",
            "",
            "data: HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        ] {
            assert_eq!(in_place_of(head.as_bytes()), None, "{head}");
        }
        let bare = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\
                    date: Sun, 22 Nov 2026 21:16:53 GMT\r\n\r\n";
        let answer = String::from_utf8(in_place_of(bare.as_bytes()).unwrap().to_vec()).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
        assert!(head.ends_with("\r\ndate: Sun, 22 Nov 2026 21:16:53 GMT"), "{head}");
        assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{head}");
        assert!(body.contains("too large"), "{body}");
    }
}
