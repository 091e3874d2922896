//! What is posted.

use serde_json::json;

/// A post to one chat of the source `test`.
#[derive(Clone, Debug)]
pub struct Post {
    /// The chat's key, and its title.
    pub chat: String,
    /// Its messages.
    pub messages: Vec<Message>,
}

/// A posted message. Its content is its key, then the padding.
#[derive(Clone, Debug)]
pub struct Message {
    /// Unique in the chat.
    pub key: String,
    /// Seconds since the first of January 2024; at most a month of them.
    pub seconds: u64,
    /// The sender's key, and name.
    pub sender: &'static str,
    /// Letters added to the content.
    pub padding: usize,
}

impl Post {
    /// An empty one.
    #[must_use]
    pub fn to(chat: &str) -> Post {
        Post {
            chat: chat.to_owned(),
            messages: Vec::new(),
        }
    }

    /// With one more message, of this key.
    #[must_use]
    pub fn with(mut self, key: impl ToString, seconds: u64) -> Post {
        self.messages.push(Message {
            key: key.to_string(),
            seconds,
            sender: "ann",
            padding: 0,
        });
        self
    }

    /// The body of the request.
    #[must_use]
    pub fn json(&self) -> String {
        let message = |message: &Message| {
            json!({
                "key": message.key,
                "sender": {"key": message.sender, "name": message.sender},
                "content": message.content(),
                "timestamp": message.timestamp(),
            })
        };
        let messages: Vec<_> = self.messages.iter().map(message).collect();
        json!({
            "source": "test",
            "chat": {"key": self.chat, "title": self.chat},
            "messages": messages,
        })
        .to_string()
    }
}

impl Message {
    /// The text.
    #[must_use]
    pub fn content(&self) -> String {
        if self.padding == 0 {
            return self.key.clone();
        }
        format!("{} {}", self.key, "x".repeat(self.padding))
    }

    /// The time, as the program writes times.
    #[must_use]
    pub fn timestamp(&self) -> String {
        let (day, second) = (self.seconds / 86_400, self.seconds % 86_400);
        assert!(day < 31, "at most a month");
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        format!("2024-01-{:02}T{hour:02}:{minute:02}:{second:02}Z", day + 1)
    }
}
