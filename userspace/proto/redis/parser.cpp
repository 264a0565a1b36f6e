#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ascii.hpp"
#include "proto/lines.hpp"
#include "proto/redis/command_reader.hpp"
#include "proto/redis/queue_words.hpp"
#include "proto/redis/redaction.hpp"
#include "proto/redis/redis.hpp"
#include "proto/redis/reply_reader.hpp"
#include "proto/redis/transaction.hpp"
#include "proto/redis/value.hpp"
#include "proto/turns.hpp"

namespace timesink::proto::redis {
namespace {

/// What the reply to a command changes, and how it is recognised.
struct Asked {
    enum class After : std::uint8_t { nothing, replication, reset, transaction_begins, transaction_ends };
    After after = After::nothing;
    QueueScript::Does queue = QueueScript::Does::nothing;
    std::string adds_to;              ///< the queue of a job that it adds; else empty
    std::string confirmed_by;         ///< (un)subscribing: the word in its confirmations; else empty
    std::uint64_t confirmations = 0;  ///< still to come
};

Asked::After after_of(std::string_view command) {
    return command == "PSYNC" || command == "SYNC"     ? Asked::After::replication
           : command == "RESET"                        ? Asked::After::reset
           : command == "MULTI"                        ? Asked::After::transaction_begins
           : command == "EXEC" || command == "DISCARD" ? Asked::After::transaction_ends
                                                       : Asked::After::nothing;
}

/// One direction. `lost`: where values begin is not known; commands are looked for at the begin of a call, replies begin anew
/// when a client that takes turns asks again.
struct Stream {
    Value value;
    bool open = false;  ///< within a value or an inline command
    bool lost = false;
    bool in_call = false;
    bool calls_lost = false;    ///< lost: whole calls are missing
    bool ends_in_line = false;  ///< the last bytes are CRLF
    char last = 0;
    std::uint64_t begin = 0;
    std::uint64_t seen = 0;  ///< position after the last byte told of
};

class Redis final : public Parser {
public:
    Parsed parse(const Chunk& chunk, Sink& sink) override;
    void gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) override;
    void finish(Direction direction, std::uint64_t position, Sink& sink) override;

private:
    using Bytes = std::span<const std::byte>;
    std::size_t request_step(Bytes bytes, std::uint64_t position, Sink& sink);
    std::size_t response_step(Bytes bytes, std::uint64_t position, Sink& sink);
    void bad_value(Stream& stream, Direction direction, std::uint64_t position, Sink& sink);
    void lose(Stream& stream, Direction direction, std::uint64_t position, Sink& sink);

    void command_done(std::uint64_t end, bool complete, Sink& sink);
    void before_asking(Sink& sink);
    [[nodiscard]] bool will_be_answered();

    void classify(Sink& sink);
    void answer_begins(Sink& sink);
    void reply_done(std::uint64_t end, Sink& sink);
    void answer_over(std::uint64_t end, bool complete, Sink& sink);
    void give_up(const std::vector<Correlation>& lost, Sink& sink) const;
    /// The reply says that its command waits for EXEC.
    [[nodiscard]] bool is_queued() const { return reply_.type() == '+' && reply_.text() == "QUEUED"; }

    enum class Reply : std::uint8_t { unknown, answer, confirmation, unasked };

    Stream request_;
    Stream response_;
    CommandReader command_;
    LineReader inline_;
    bool is_inline_ = false;
    ReplyReader reply_;
    ValueRedaction asked_bytes_;
    ValueRedaction answer_bytes_;
    Reply reply_is_ = Reply::unknown;
    bool answer_open_ = false;  ///< the Head of the front's answer was given; confirmations may come in several values
    std::uint64_t answer_begin_ = 0;
    Correlation answer_to_ = kNobody;  ///< whom it answers: settled when it begins, a command may be asked meanwhile
    Turns<Asked> turns_;
    Transaction transaction_;
    bool replies_off_ = false;
    bool skip_reply_ = false;
    bool subscribed_ = false;
    bool understood_ = false;
    bool not_mine_ = false;
    bool rejected_ = false;
};

Parsed Redis::parse(const Chunk& chunk, Sink& sink) {
    if (not_mine_) {
        return {0, Verdict::not_mine};
    }
    const bool asks = chunk.direction == Direction::request;
    Stream& stream = asks ? request_ : response_;
    if (!asks && !chunk.bytes.empty()) {
        turns_.hear();
    }
    if (asks && stream.lost && !stream.in_call && as_text(chunk.bytes).starts_with('*')) {
        stream.lost = false;
    }
    std::size_t taken = 0;
    while (taken < chunk.bytes.size() && !not_mine_) {
        const Bytes rest = chunk.bytes.subspan(taken);
        const std::size_t step =
            asks ? request_step(rest, chunk.position + taken, sink) : response_step(rest, chunk.position + taken, sink);
        taken += step;
        stream.seen = chunk.position + taken;
    }
    if (not_mine_) {
        return {rejected_ ? 0 : taken, Verdict::not_mine};
    }
    const std::string_view text = as_text(chunk.bytes);
    if (!text.empty()) {
        stream.ends_in_line = text.back() == '\n' && (text.size() > 1 ? text[text.size() - 2] : stream.last) == '\r';
        stream.last = text.back();
    }
    if (!asks && stream.lost && stream.ends_in_line) {
        sink.keep(Direction::response, stream.seen - 2, "\r\n", Kept::structure);  // by which a reply behind a gap is whole
    }
    stream.in_call = !chunk.ends_call;
    return {taken, Verdict::ok};
}

std::size_t Redis::request_step(Bytes bytes, std::uint64_t position, Sink& sink) {
    if (request_.lost) {
        return bytes.size();
    }
    if (!request_.open) {
        const char first = as_text(bytes).front();
        if (first == '\r' || first == '\n') {
            sink.keep(Direction::request, position, as_text(bytes.first(1)), Kept::structure);
            return 1;  // the server takes empty inline commands for nothing
        }
        request_.open = true;
        request_.begin = position;
        request_.value.begin();
        asked_bytes_.begin();
        command_.begin();
        inline_.clear();
        is_inline_ = first != '*';
    }
    if (is_inline_) {
        const std::size_t taken = inline_.take(bytes);
        if (inline_.complete()) {
            command_.inline_command(inline_.text());
            if (sink.redacts() && !command_.malformed()) {
                keep_inline(inline_, command_, position + taken, sink);
            }
        }
        if (command_.malformed() || inline_.cut()) {
            bad_value(request_, Direction::request, position, sink);
        } else if (inline_.complete()) {
            command_done(position + taken, true, sink);
        }
        return taken;
    }
    const std::size_t taken = asked_bytes_.take(request_.value, bytes, position, command_, sink);
    if (request_.value.invalid() || command_.malformed()) {
        bad_value(request_, Direction::request, position, sink);
    } else if (request_.value.done()) {
        command_done(position + taken, true, sink);
    }
    return taken;
}

void Redis::bad_value(Stream& stream, Direction direction, std::uint64_t position, Sink& sink) {
    if (!understood_) {
        not_mine_ = rejected_ = true;
    } else {
        lose(stream, direction, position, sink);
    }
}

void Redis::command_done(std::uint64_t end, bool complete, Sink& sink) {
    request_.open = false;
    if (!command_.named()) {
        return;  // "*0": nothing to the server either
    }
    understood_ = true;
    before_asking(sink);
    const std::string& name = command_.name();
    // What it asks for is in a gap: it may have been CLIENT REPLY, and then the replies that follow are others'.
    const bool unclear =
        name == "CLIENT" && (command_.subcommand().empty() || (command_.subcommand() == "REPLY" && command_.option().empty()));
    const bool answered = will_be_answered() && !unclear;
    if (unclear) {
        replies_off_ = skip_reply_ = false;
        turns_.lose_requests();
    }
    // Of the old protocol's subscribers only these are accepted: another command tells that the subscriptions are gone.
    subscribed_ = subscribed_ && (is_subscription(name) || name == "PING" || name == "QUIT");
    // From now on, not from its confirmation: that may be lost.
    subscribed_ = subscribed_ || name == "SUBSCRIBE" || name == "PSUBSCRIBE" || name == "SSUBSCRIBE";
    const std::string adds_to = command_.queue().does() == QueueScript::Does::adds ? command_.queue().queue() : "";
    const std::string all_add_to = transaction_.sent(name, adds_to);
    Head head{.begin = request_.begin, .operation = command_.operation(), .expects_response = answered};
    head.target = head.operation;
    head.housekeeping = command_.kind().housekeeping;
    if (answered) {
        Asked asked;
        if (is_subscription(name)) {
            asked.confirmed_by = name;
            asked.confirmations = std::max<std::uint64_t>(1, command_.arguments() - 1);
        }
        asked.queue = command_.queue().does();
        asked.adds_to = adds_to;
        asked.after = after_of(name);
        head.correlation = turns_.ask(std::move(asked));
    } else {
        head.correlation = turns_.number_unanswered();
    }
    if (!command_.key().empty()) {
        head.attributes.emplace_back("redis.key", command_.key());
    }
    if (!command_.script().empty()) {
        head.attributes.emplace_back("redis.script", command_.script());
    }
    if (command_.blocks()) {
        head.attributes.emplace_back("redis.blocking", "1");
    }
    tell_queue(command_, all_add_to, head);
    const Correlation correlation = head.correlation;
    sink.head(head);
    sink.end({.correlation = correlation, .end = end, .body_bytes = end - request_.begin, .complete = complete});
}

/// CLIENT REPLY OFF and SKIP are not answered themselves.
bool Redis::will_be_answered() {
    const bool skip = std::exchange(skip_reply_, false);
    if (command_.name() == "CLIENT" && command_.subcommand() == "REPLY") {
        replies_off_ = command_.option() == "OFF" || (replies_off_ && command_.option() != "ON");
        skip_reply_ = command_.option() == "SKIP";
        return command_.option() == "ON";
    }
    return !replies_off_ && !skip;
}

void Redis::before_asking(Sink& sink) {
    const bool turn = turns_.turn_begins();
    if (turn && response_.lost) {
        // RESP has no mark for the end of a reply. That its client asks again is one, and the only one behind a gap.
        answer_over(response_.seen, response_.ends_in_line && !response_.calls_lost, sink);
        response_.lost = response_.open = false;
        give_up(turns_.level(), sink);
    } else if (turn && !turns_.certain() && !response_.open && turns_.answering() == nullptr) {
        give_up(turns_.level(), sink);
    }
    if (turns_.full()) {
        answer_over(response_.seen, false, sink);
        give_up(turns_.lose_responses(), sink);
    }
}

std::size_t Redis::response_step(Bytes bytes, std::uint64_t position, Sink& sink) {
    if (response_.lost) {
        return bytes.size();
    }
    if (!response_.open) {
        response_.open = true;
        response_.begin = position;
        response_.value.begin();
        answer_bytes_.begin();
        reply_.begin();
        const Asked* asked = turns_.answering();
        if (asked != nullptr && asked->queue != QueueScript::Does::nothing) {
            reply_.expect_job(asked->queue == QueueScript::Does::adds);
        } else if (asked != nullptr && asked->after == Asked::After::transaction_ends) {
            reply_.expect_jobs(transaction_.added());
        }
        reply_is_ = Reply::unknown;
    }
    const std::size_t taken = answer_bytes_.take(response_.value, bytes, position, reply_, sink);
    if (response_.value.invalid()) {
        bad_value(response_, Direction::response, position, sink);
        return taken;
    }
    understood_ = true;
    classify(sink);
    if (response_.value.done()) {
        reply_done(position + taken, sink);
    }
    return taken;
}

/// "1700000000.123456 [0 127.0.0.1:60866] "GET" "a"": by its form, for the MONITOR may have gone unseen.
bool is_monitor_line(std::string_view text) {
    const std::size_t seconds = std::min(text.find_first_not_of("0123456789"), text.size());
    const std::size_t bracket = text.find(" [");
    return seconds >= 9 && text.substr(seconds).starts_with('.') && bracket != std::string_view::npos &&
           text.substr(seconds + 1, bracket - seconds - 1).find_first_not_of("0123456789") == std::string_view::npos;
}

/// Whether the reply in progress answers a command, as soon as that can be told.
void Redis::classify(Sink& sink) {
    if (reply_is_ != Reply::unknown || reply_.type() == 0) {
        return;
    }
    const Asked* asked = turns_.answering();
    const bool subscribing = asked != nullptr && asked->confirmations > 0;
    const bool push = reply_.type() == '>';
    const bool word_matters = push || (reply_.type() == '*' && (subscribed_ || subscribing || asked == nullptr));
    if (word_matters && !reply_.first_known() && !response_.value.done()) {
        return;
    }
    const std::string word = word_matters ? upper(reply_.first()) : "";
    const bool monitored = reply_.type() == '+' && is_monitor_line(reply_.text());
    if (word_matters && is_subscription(word)) {
        const bool mine = subscribing && asked->confirmed_by == word;
        reply_is_ = mine ? Reply::confirmation : Reply::unasked;
    } else if (push || monitored || (word_matters && (word == "MESSAGE" || word == "PMESSAGE" || word == "SMESSAGE"))) {
        reply_is_ = Reply::unasked;
    } else {
        reply_is_ = Reply::answer;
    }
    if (reply_is_ != Reply::unasked) {
        answer_begins(sink);
    }
}

void Redis::answer_begins(Sink& sink) {
    if (answer_open_) {
        return;
    }
    answer_open_ = true;
    answer_begin_ = response_.begin;
    answer_to_ = turns_.answering_correlation();
    sink.head({.direction = Direction::response,
               .correlation = answer_to_,
               .begin = response_.begin,
               .error = reply_.type() == '-' ? reply_.error() : ""});
}

void Redis::reply_done(std::uint64_t end, Sink& sink) {
    response_.open = false;
    const std::string word = upper(reply_.first());
    if ((reply_.type() == '>' || reply_.type() == '*') && reply_is_ != Reply::answer && is_subscription(word)) {
        subscribed_ = reply_.third() != "0";
    }
    if (reply_is_ == Reply::unasked) {
        return;
    }
    Asked* asked = answer_to_ != kNobody ? turns_.answering() : nullptr;
    if (reply_is_ == Reply::confirmation && asked != nullptr && asked->confirmations > 0 && --asked->confirmations > 0) {
        return;
    }
    const Asked::After after = asked != nullptr ? asked->after : Asked::After::nothing;
    if (asked != nullptr && is_queued()) {
        transaction_.queued(asked->adds_to);
    }
    answer_over(end, true, sink);
    const bool error = !reply_.error().empty();
    if (after == Asked::After::transaction_begins && !error) {
        transaction_.begin();
    } else if (after == Asked::After::transaction_ends || after == Asked::After::reset) {
        transaction_.end();
    }
    if (after == Asked::After::reset && !error) {
        subscribed_ = replies_off_ = false;
    } else if (after == Asked::After::replication && !error) {
        not_mine_ = true;  // what follows is the data set, then commands from the server
        sink.upgraded("redis-replication");
    }
}

/// The answer in progress, if any.
void Redis::answer_over(std::uint64_t end, bool complete, Sink& sink) {
    if (!std::exchange(answer_open_, false)) {
        return;
    }
    End over{.direction = Direction::response,
             .correlation = answer_to_,
             .end = end,
             .body_bytes = end - std::min(end, answer_begin_),
             .error = reply_.error(),
             .complete = complete};
    if (is_queued()) {
        over.attributes.emplace_back("redis.queued", "1");  // its result comes with EXEC's
    }
    if (complete && !reply_.job().empty()) {
        over.attributes.emplace_back("messaging.answered.id", reply_.job());
        if (!reply_.job_name().empty()) {
            over.attributes.emplace_back("messaging.answered.name", reply_.job_name());
        }
    }
    for (const ReplyReader::AddedJob& job : reply_.added_jobs()) {
        over.attributes.emplace_back("messaging.destination.name", job.queue);
        over.attributes.emplace_back("messaging.answered.id", job.id);
    }
    if (answer_to_ != kNobody && answer_to_ == turns_.answering_correlation()) {
        complete && !response_.lost ? turns_.answered() : turns_.drop_oldest();
    }
    sink.end(over);
}

/// They will not be answered, as far as can be told: an End without a Head.
void Redis::give_up(const std::vector<Correlation>& lost, Sink& sink) const {
    for (const Correlation correlation : lost) {
        sink.end({.direction = Direction::response,
                  .correlation = correlation,
                  .end = response_.seen,
                  .error = "lost",
                  .complete = false});
    }
}

void Redis::lose(Stream& stream, Direction direction, std::uint64_t position, Sink& sink) {
    stream.lost = true;
    stream.calls_lost = !stream.in_call;
    if (direction == Direction::request) {
        if (stream.open && !is_inline_ && !command_.malformed()) {
            command_done(position, false, sink);
        }
        stream.open = false;
        // CLIENT REPLY ON may be among what was lost. Were it not, nothing would be heard, and nothing paired.
        replies_off_ = skip_reply_ = false;
        turns_.lose_requests();
    } else {
        transaction_.end();
        const bool alone = turns_.certain() && turns_.open() == 1 && answer_open_ && reply_is_ == Reply::answer;
        if (!alone) {
            answer_over(position, false, sink);
            give_up(turns_.lose_responses(), sink);
        }
    }
    sink.lost_sync(direction, position);
}

void Redis::gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) {
    if (not_mine_ || end <= begin) {
        return;
    }
    const bool asks = direction == Direction::request;
    Stream& stream = asks ? request_ : response_;
    if (!asks) {
        turns_.hear();
    }
    stream.ends_in_line = false;
    stream.last = 0;
    if (!stream.lost && stream.open && !(asks && is_inline_)) {
        ValueRedaction::cut(stream.value, direction, begin, sink);
    }
    std::uint64_t known = 0;
    if (!stream.lost && stream.open && !(asks ? is_inline_ : reply_.reads())) {
        asks ? command_.hole() : reply_.hole();
        known = asks ? stream.value.skip(end - begin, command_) : stream.value.skip(end - begin, reply_);
        if (stream.value.done()) {
            stream.seen = begin + known;
            if (asks && command_.malformed()) {
                lose(stream, direction, begin, sink);  // its name is in the gap
            } else if (asks) {
                command_done(begin + known, true, sink);
            } else {
                classify(sink);
                reply_done(begin + known, sink);
            }
        }
    }
    if (known < end - begin && !stream.lost && !not_mine_) {
        lose(stream, direction, begin + known, sink);
        stream.calls_lost = stream.calls_lost || (!asks && reply_.reads());  // its error cannot be told
    }
    stream.calls_lost = stream.calls_lost || (stream.lost && !stream.in_call);
    stream.seen = end;
}

void Redis::finish(Direction direction, std::uint64_t position, Sink& sink) {
    if (not_mine_) {
        return;
    }
    if (direction == Direction::response) {
        answer_over(position, false, sink);
        response_.open = false;
    } else if (request_.open && !is_inline_ && !request_.lost && command_.named()) {
        command_done(position, false, sink);
    }
}

}  // namespace

std::unique_ptr<Parser> make() {
    return std::make_unique<Redis>();
}

}  // namespace timesink::proto::redis
