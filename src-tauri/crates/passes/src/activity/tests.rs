use super::*;
use crate::PEOPLE_MAX;
use crate::samples::message;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

fn of(messages: &[Message]) -> Activity {
    activity(messages, &TimeZone::UTC)
}

/// The counts of a contact.
fn counts(activity: &Activity, contact: i64) -> &ActivityCounts {
    let mut people = activity.people.iter();
    let row = people.find(|row| row.person.contact_id.0 == contact);
    &row.expect("the contact is listed").counts
}

#[test]
fn messages_words_and_characters_are_counted_by_person() {
    let mut picture = message(30, 2, "at the sea");
    picture.kind = Kind::Media;
    let mut deleted = message(40, 2, "This message was deleted");
    deleted.kind = Kind::Deleted;
    let mut call = message(50, 1, "Missed voice call");
    call.kind = Kind::Call;
    let activity = of(&[
        message(0, 1, "Grüße, it's me: https://example.org/x"),
        message(10, 2, "你好"),
        picture,
        deleted,
        call,
    ]);
    let (me, other) = (counts(&activity, 1), counts(&activity, 2));
    assert_eq!((me.messages, me.words, me.characters, me.calls), (2, 3, 37, 1));
    assert_eq!(
        (other.messages, other.words, other.characters, other.media),
        (3, 5, 12, 1)
    );
    assert_eq!((activity.messages, activity.duration_s), (5, 50));
    assert_eq!(activity.started_by.map(|person| person.is_me), Some(true));
    assert_eq!(activity.ended_by.map(|person| person.is_me), Some(true));
}

#[test]
fn lines_of_the_app_count_for_nothing() {
    let mut joined = message(0, 2, "Contact 2 joined");
    joined.kind = Kind::System;
    let mut renamed = message(1, 2, "The title changed");
    renamed.sender_id = None;
    assert_eq!(of(&[joined.clone(), renamed]), Activity::default());
    let late = of(&[joined, message(100, 2, "hi"), message(160, 1, "hello")]);
    assert_eq!(late.duration_s, 60);
    assert_eq!(counts(&late, 2).messages, 1);
    assert_eq!(counts(&late, 1).replies.map(|replies| replies.median_s), Some(60));
}

#[test]
fn a_reply_is_measured_from_the_last_message_of_another() {
    let activity = of(&[
        message(0, 1, "hi"),
        message(20, 1, "there?"),
        message(50, 2, "yes"),
        message(60, 1, "good"),
        message(70, 2, "?"),
        message(170, 1, "later"),
    ]);
    let me = ReplyTimes {
        count: 2,
        median_s: 10,
        fastest_s: 10,
        total_s: 110,
    };
    let other = ReplyTimes {
        count: 2,
        median_s: 10,
        fastest_s: 10,
        total_s: 40,
    };
    assert_eq!(counts(&activity, 1).replies, Some(me));
    assert_eq!(counts(&activity, 2).replies, Some(other));
}

#[test]
fn an_opening_is_no_reply() {
    let activity = of(&[message(0, 1, "hi"), message(5, 1, "hello?")]);
    assert_eq!(counts(&activity, 1).replies, None);
    assert_eq!(counts(&activity, 1).night_replies, None);
}

#[test]
fn waits_that_touch_the_night_are_counted_apart() {
    let berlin = TimeZone::get("Europe/Berlin").expect("a zone of the system");
    // Samples start at noon UTC: 13:00 in Berlin, 12:00 in London.
    let wait = |from: i64, to: i64, zone: &TimeZone| {
        let activity = activity(&[message(from, 1, "?"), message(to, 2, "!")], zone);
        let counts = counts(&activity, 2);
        (counts.replies.is_some(), counts.night_replies.is_some())
    };
    let (day, night) = ((true, false), (false, true));
    assert_eq!(wait(0, HOUR, &berlin), day);
    assert_eq!(wait(10 * HOUR - 2, 10 * HOUR - 1, &berlin), day, "22:59:59");
    assert_eq!(wait(10 * HOUR - 1, 10 * HOUR, &berlin), night, "23:00");
    assert_eq!(
        wait(10 * HOUR - 1, 10 * HOUR, &TimeZone::UTC),
        day,
        "22:00 in London"
    );
    assert_eq!(
        wait(13 * HOUR, 13 * HOUR + 5, &berlin),
        night,
        "both at two in the morning"
    );
    assert_eq!(wait(17 * HOUR, 18 * HOUR, &berlin), night, "from six to seven");
    assert_eq!(wait(18 * HOUR, 19 * HOUR, &berlin), day, "from seven to eight");
    assert_eq!(
        wait(9 * HOUR, 19 * HOUR, &berlin),
        night,
        "from ten in the evening to eight"
    );
}

#[test]
fn a_burst_is_three_quick_messages_in_a_row() {
    let quick = |times: &[i64]| {
        let messages: Vec<_> = times.iter().map(|at| message(*at, 1, "x")).collect();
        counts(&of(&messages), 1).bursts
    };
    assert_eq!(quick(&[0, 60]), 0);
    assert_eq!(quick(&[0, 60, 120]), 1);
    assert_eq!(quick(&[0, 10, 20, 30, 40]), 1, "however long it is");
    assert_eq!(quick(&[0, 10, 71]), 0);
    assert_eq!(quick(&[0, 10, 20, 200, 210, 220]), 2);
    let between = of(&[
        message(0, 1, "x"),
        message(1, 1, "x"),
        message(2, 2, "y"),
        message(3, 1, "x"),
    ]);
    assert_eq!(counts(&between, 1).bursts, 0);
}

#[test]
fn writing_again_unanswered_is_a_double_text() {
    let activity = of(&[
        message(0, 1, "are you there"),
        message(10 * MINUTE, 1, "hello?"),
        message(15 * MINUTE, 1, "??"),
        message(16 * MINUTE, 2, "yes"),
        message(40 * MINUTE, 1, "fine"),
    ]);
    assert_eq!(counts(&activity, 1).double_texts, 1);
    assert_eq!(counts(&activity, 2).double_texts, 0);
}

#[test]
fn a_large_group_is_listed_up_to_the_limit_and_summed_beyond() {
    let members = PEOPLE_MAX as i64 + 10;
    // The higher the number, the more the member wrote; each waits a second for the one before.
    let mut messages = Vec::new();
    for round in 0..members {
        for member in (round + 1)..=members {
            messages.push(message(messages.len() as i64, member, "word"));
        }
    }
    let activity = of(&messages);
    let others = activity.others.as_ref().expect("more people than are listed");
    assert_eq!(activity.people.len(), PEOPLE_MAX);
    assert_eq!(activity.people[0].person.contact_id.0, members);
    assert_eq!(
        (others.count, others.counts.messages),
        (10, (1..=10).sum::<u64>())
    );
    assert_eq!(others.counts.replies.map(|replies| replies.median_s), Some(1));
    let listed: u64 = activity.people.iter().map(|row| row.counts.messages).sum();
    assert_eq!(listed + others.counts.messages, activity.messages);
}
