//! A process pool that moves payloads through pipes
