/** The wire types, generated from Rust (`cargo test -p chatstats-model`). */
export type { Attachment } from './bindings/Attachment';
export type { Backend } from './bindings/Backend';
export type { BusStatus } from './bindings/BusStatus';
export type { Chat } from './bindings/Chat';
export type { ChatId } from './bindings/ChatId';
export type { ChatUpdate } from './bindings/ChatUpdate';
export type { ChatsInitial } from './bindings/ChatsInitial';
export type { CommitmentDecision } from './bindings/CommitmentDecision';
export type { CommitmentPage } from './bindings/CommitmentPage';
export type { CommitmentState } from './bindings/CommitmentState';
export type { Contact } from './bindings/Contact';
export type { ContactId } from './bindings/ContactId';
export type { ContactUpdate } from './bindings/ContactUpdate';
export type { ContactsInitial } from './bindings/ContactsInitial';
export type { ConversationId } from './bindings/ConversationId';
export type { ConversationsNow } from './bindings/ConversationsNow';
export type { ConversationSummary } from './bindings/ConversationSummary';
export type { Counts } from './bindings/Counts';
export type { DateOrder } from './bindings/DateOrder';
export type { EntryPage } from './bindings/EntryPage';
export type { FileReceipt } from './bindings/FileReceipt';
export type { HubReport } from './bindings/HubReport';
export type { HubTopic } from './bindings/HubTopic';
export type { Import } from './bindings/Import';
export type { ImportId } from './bindings/ImportId';
export type { ImportList } from './bindings/ImportList';
export type { ImportOptions } from './bindings/ImportOptions';
export type { ImportState } from './bindings/ImportState';
export type { LastMessage } from './bindings/LastMessage';
export type { LeftOut } from './bindings/LeftOut';
export type { LeftOutPage } from './bindings/LeftOutPage';
export type { ListedCommitment } from './bindings/ListedCommitment';
export type { LlmStatus } from './bindings/LlmStatus';
export type { Message } from './bindings/Message';
export type { MessageId } from './bindings/MessageId';
export type { MessagePage } from './bindings/MessagePage';
export type { MessagesUpdate } from './bindings/MessagesUpdate';
export type { Metrics } from './bindings/Metrics';
export type { Participant } from './bindings/Participant';
export type { PassInfo } from './bindings/PassInfo';
export type { PassList } from './bindings/PassList';
export type { Problem } from './bindings/Problem';
export type { Run } from './bindings/Run';
export type { RunId } from './bindings/RunId';
export type { RunKind } from './bindings/RunKind';
export type { RunList } from './bindings/RunList';
export type { RunPreview } from './bindings/RunPreview';
export type { RunRequest } from './bindings/RunRequest';
export type { RunState } from './bindings/RunState';
export type { SearchHit } from './bindings/SearchHit';
export type { SearchPage } from './bindings/SearchPage';
export type { Source } from './bindings/Source';
export type { Status } from './bindings/Status';
export type { StreamEntry } from './bindings/StreamEntry';
export type { StreamError } from './bindings/StreamError';
export type { StreamReach } from './bindings/StreamReach';
export type { SummarisedConversation } from './bindings/SummarisedConversation';
export type { SummarisedPage } from './bindings/SummarisedPage';
export type { Task } from './bindings/Task';
export type { TaskCounts } from './bindings/TaskCounts';
export type { TaskId } from './bindings/TaskId';
export type { TaskPage } from './bindings/TaskPage';
export type { TaskState } from './bindings/TaskState';

import type { ChatId } from './bindings/ChatId';
import type { Message } from './bindings/Message';

/** Data of `initial` of a chat's messages stream. */
export interface MessagesInitial {
  chat_id: ChatId;
  /** The oldest first: by timestamp, then id. */
  messages: Message[];
  /** Messages in the whole chat. */
  total: number;
  /** Only what was taken or changed since the last event seen, whatever its timestamp. */
  resumed?: boolean;
}
