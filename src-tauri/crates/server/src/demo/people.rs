//! Who talks in the demo, and about what.

/// A line: who says it, by place among the chat's people, and what.
type Said = (usize, &'static str);

/// A chat of the demo.
pub(super) struct DemoChat {
    pub(super) title: &'static str,
    pub(super) on_telegram: bool,
    /// The user among them.
    pub(super) people: &'static [&'static str],
    /// Of a hundred days, how many have a conversation.
    pub(super) busy_percent: u64,
    pub(super) topics: &'static [&'static [Said]],
    /// What somebody throws in.
    pub(super) asides: &'static [&'static str],
}

pub(super) const CHATS: &[DemoChat] = &[
    DemoChat {
        title: "Mara",
        on_telegram: false,
        people: &["Mara", "Sam Rivers"],
        busy_percent: 62,
        topics: &[
            &[
                (0, "Are you still on for dinner tonight?"),
                (1, "Yes! 19:30 at the noodle place?"),
                (0, "Perfect, I'll book a table"),
                (0, "Inside or on the terrace?"),
                (1, "Terrace if it stays dry"),
                (0, "Forecast says it will 🌤"),
            ],
            &[
                (1, "How did the presentation go?"),
                (0, "Better than I feared"),
                (0, "They asked about the budget for half an hour though"),
                (1, "Of course they did 😅"),
                (1, "Proud of you"),
                (0, "Thank you for listening to the rehearsal twice"),
            ],
            &[
                (0, "Can you send me the photos from Sunday?"),
                (1, "Will do when I'm home, they are on the camera"),
                (0, "No rush"),
                (1, "There is a really good one of you and the dog"),
                (0, "Now there is a rush"),
            ],
            &[
                (1, "I'm at the supermarket, do we need anything?"),
                (0, "Oat milk, lemons and those crackers you like"),
                (1, "The expensive ones?"),
                (0, "You like them, not me"),
                (1, "Fair"),
            ],
            &[
                (0, "I can't sleep"),
                (1, "Me neither. Too warm?"),
                (0, "Too many thoughts"),
                (1, "Tell me"),
                (
                    0,
                    "Whether we should take the flat. It is beautiful and too far from everything",
                ),
                (1, "We can look at it once more on Saturday and then decide"),
                (0, "Yes. That helps ❤️"),
            ],
            &[
                (1, "Train is 20 minutes late"),
                (0, "Do you want me to wait with dinner?"),
                (1, "Start without me, I'll have a sandwich"),
                (0, "I'll wait"),
            ],
            &[
                (0, "https://www.example.org/exhibitions/light-and-water"),
                (0, "This opens on Friday, shall we go?"),
                (1, "Oh that looks great"),
                (1, "I'll get the tickets tomorrow"),
            ],
        ],
        asides: &["😂", "True", "haha", "ok!", "Oh no", "❤️", "Really?"],
    },
    DemoChat {
        title: "Climbing crew",
        on_telegram: false,
        people: &["Jonas Weber", "Priya", "Sam Rivers", "Leo 🧗", "Ingrid"],
        busy_percent: 30,
        topics: &[
            &[
                (0, "Who is in for Thursday?"),
                (1, "Me!"),
                (2, "In, but not before seven"),
                (3, "Knee still hurts, I'll come for the coffee"),
                (4, "I can bring the long rope"),
                (0, "Great, seven at the north wall"),
            ],
            &[
                (3, "New routes in the back room, somebody was in a mean mood"),
                (1, "The green one?"),
                (3, "The green one"),
                (2, "I fell off the green one four times"),
                (4, "Only four?"),
            ],
            &[
                (1, "Weekend outside? Weather looks stable"),
                (0, "Which rock?"),
                (1, "The sandstone, near the river"),
                (2, "I have the car, four seats"),
                (4, "I'll take the train and bring cake"),
                (3, "Cake counts as gear"),
            ],
            &[
                (4, "Somebody left a blue chalk bag in my car"),
                (2, "That is mine, thank you!"),
                (4, "I'll bring it on Thursday"),
            ],
            &[
                (0, "I'll pay the hall for all of us, send me 12 each"),
                (1, "Sent"),
                (2, "Will do tonight"),
                (3, "Sent, with interest for last month"),
            ],
        ],
        asides: &["💪", "+1", "haha", "🍰", "count me in", "nooo"],
    },
    DemoChat {
        title: "Book club (actually wine)",
        on_telegram: false,
        people: &["Noor", "Sam Rivers", "Tom: the one with the cat", "Beatriz"],
        busy_percent: 14,
        topics: &[
            &[
                (0, "Has anybody finished it?"),
                (1, "I'm on page 80"),
                (2, "I finished the wine"),
                (3, "I have read it twice and I have opinions"),
                (0, "Then we meet at Beatriz's"),
            ],
            &[
                (3, "Next one: something short"),
                (1, "A collection of stories?"),
                (0, "Yes please"),
                (
                    2,
                    "Three proposals, we vote until Sunday:\n1. The one about the lighthouse\n2. The one in Lisbon\n3. The new one everybody talks about",
                ),
                (1, "2"),
                (0, "2"),
                (3, "2, obviously"),
            ],
            &[
                (2, "The cat has eaten the bookmark"),
                (0, "Is the cat all right?"),
                (2, "The cat is proud"),
            ],
        ],
        asides: &["🍷", "📚", "same", "objection", "👏"],
    },
    DemoChat {
        title: "Family",
        on_telegram: true,
        people: &["Mum", "Dad", "Sam Rivers", "Ellie"],
        busy_percent: 45,
        topics: &[
            &[
                (0, "Good morning my dears! The garden is full of snowdrops"),
                (3, "Pictures please"),
                (1, "Your mother has taken forty of them"),
                (2, "Send the best three"),
                (0, "They are all the best"),
            ],
            &[
                (1, "Who can help with the printer?"),
                (2, "What does it say?"),
                (1, "It says nothing. That is the problem"),
                (3, "Is it on?"),
                (1, "It is now. Thank you"),
            ],
            &[
                (3, "I'll arrive on Friday with the 18:04"),
                (0, "Dad picks you up"),
                (1, "Dad picks you up"),
                (2, "I come on Saturday morning, I'll bring bread"),
            ],
            &[
                (0, "Aunt Rosa turns 80 on the 14th. Please call her!"),
                (2, "Will do"),
                (3, "I'll write it down right now"),
                (1, "She goes to bed at nine"),
            ],
            &[
                (2, "Did you get the letter from the insurance?"),
                (1, "Yes, I'll send you a copy tomorrow"),
                (2, "Thanks Dad"),
            ],
        ],
        asides: &["❤️", "👍", "😄", "Lovely", "How nice"],
    },
    DemoChat {
        title: "Jonas Weber",
        on_telegram: true,
        people: &["Jonas Weber", "Sam Rivers"],
        busy_percent: 26,
        topics: &[
            &[
                (0, "Do you have ten minutes for a question about the contract?"),
                (1, "Sure, call me after four"),
                (0, "Thanks, I'll call you at half past"),
            ],
            &[
                (1, "Did you see the match?"),
                (0, "I turned it off at half time"),
                (1, "Oh no. You missed everything"),
                (0, "Don't tell me, I'll watch it tonight"),
            ],
            &[
                (0, "I owe you a coffee"),
                (1, "You owe me three"),
                (0, "I'll bring a thermos"),
            ],
            &[
                (1, "Could you lend me the drill on the weekend?"),
                (0, "It's at my brother's, I'll get it until Friday"),
                (1, "You are a hero"),
                (0, "A hero without a drill until Friday"),
            ],
        ],
        asides: &["😂", "ok", "deal", "👍", "hm"],
    },
];
