//! Service rows in words: the export has only the name of what happened, and who did it.

use super::row::Row;

/// What a service row says.
pub(super) fn content(row: &Row) -> String {
    if !row.text.0.is_empty() {
        return row.text.0.clone().into_owned();
    }
    let action = row.action.as_deref().unwrap_or("service message");
    let who = row.actor.as_deref().unwrap_or("Somebody");
    let title = || {
        row.new_title
            .as_deref()
            .or(row.title.as_deref())
            .map(|t| format!(" “{t}”"))
            .unwrap_or_default()
    };
    let members = || {
        let names = row
            .members
            .iter()
            .flatten()
            .map(|name| name.as_deref().unwrap_or("a deleted account"));
        names.collect::<Vec<_>>().join(", ")
    };
    match action {
        "create_group" => format!("{who} created the group{}", title()),
        "create_channel" => format!("{who} created the channel{}", title()),
        "edit_group_title" => format!("{who} changed the title to{}", title()),
        "edit_group_photo" => format!("{who} changed the photo"),
        "delete_group_photo" => format!("{who} removed the photo"),
        "invite_members" => format!("{who} added {}", members()),
        "remove_members" => format!("{who} removed {}", members()),
        "join_group_by_link" => match row.inviter.as_deref() {
            Some(inviter) => format!("{who} joined by a link of {inviter}"),
            None => format!("{who} joined by a link"),
        },
        "join_group_by_request" => format!("{who} joined by request"),
        "pin_message" => format!("{who} pinned a message"),
        "clear_history" => format!("{who} cleared the history"),
        "migrate_to_supergroup" => "The group became a supergroup".to_owned(),
        "migrate_from_group" => format!("This group was{} before", title()),
        "topic_created" => format!("{who} opened the topic{}", title()),
        "topic_edit" => format!("{who} changed the topic{}", title()),
        "joined_telegram" => format!("{who} joined Telegram"),
        "phone_call" => call(row, who),
        other => format!("{who}: {}{}", other.replace('_', " "), title()),
    }
}

fn call(row: &Row, who: &str) -> String {
    match (row.duration_seconds, row.discard_reason.as_deref()) {
        (Some(seconds), _) if seconds > 0 => {
            format!("{who} called: {}:{:02} minutes", seconds / 60, seconds % 60)
        }
        (_, Some("missed")) => format!("{who} called: missed"),
        (_, Some("busy")) => format!("{who} called: busy"),
        _ => format!("{who} called"),
    }
}
