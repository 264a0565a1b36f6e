#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ring.hpp"
#include "proto/parser.hpp"
#include "proto/postgres/statements.hpp"

namespace timesink::proto::postgres {

/// A message of the client that the server answers.
enum class Asked : std::uint8_t {
    ssl,
    startup,
    query,
    function,
    parse,
    bind,
    describe_statement,
    describe_portal,
    execute,
    close,
    sync,
    unseen,  ///< one or more that a gap has hidden, up to and with their Sync
};

/// How far an exchange has come.
struct Progress {
    bool parses = false;
    bool binds = false;
    bool closes = false;
    bool name_hidden = false;   ///< of the statement in its Parse, by a gap
    bool names_hidden = false;  ///< of portal and statement in its Bind
    bool executed = false;
    bool sync_seen = false;  ///< `unseen`: what the gap hid ended with a Sync
    bool announced = false;  ///< its Head was given
    bool request_ended = false;
    bool sealed = false;              ///< no further message belongs to it, except a Close or the Sync
    bool copies_in = false;           ///< the client sends data until CopyDone or CopyFail
    bool overlapped = false;          ///< a later one began after response bytes, and this one was not answered yet
    bool responding = false;          ///< the response's Head was given
    bool in_rows = false;             ///< the latest message of the response was a row: more of them need no thought
    bool cut = false;                 ///< part of its response went unseen
    bool aborted = false;             ///< part of it was skipped by the server, after an error of another
    std::size_t waiting = 0;          ///< of its messages, not answered
    std::uint64_t request_bytes = 0;  ///< copy data
    bool answered_whole = false;      ///< its completion was seen
    std::uint64_t parse_answers = 0;  ///< of `unseen`, where nothing says which message an answer is for
    std::uint64_t bind_answers = 0;
    std::uint64_t completions = 0;
};

/// One statement with the messages that serve it: what net/ and the report see as one exchange.
struct Exchange : Progress {
    Head request;
    std::shared_ptr<const Statement> statement;  ///< of the messages so far; null: none named yet
    End response;

    /// As a new one, but its strings keep their memory.
    void restart(Correlation correlation, std::uint64_t begin) {
        static_cast<Progress&>(*this) = {};
        request.restart(Direction::request, begin);
        request.correlation = correlation;
        statement.reset();
        response.restart(Direction::response);
        response.correlation = correlation;
    }
};

/// The exchanges of one connection that are not over, and the queue of the client's messages that the server will answer in
/// order. Owned by the parser, which tells of messages; gives Heads and Ends.
///
/// An exchange is one Query, one FunctionCall, or one Execute with the Parse, Bind, Describe before it and the Close and Sync
/// behind it. Messages that lead to no Execute before their Sync or Flush make an exchange of operation PREPARE, DESCRIBE, BIND,
/// CLOSE or SYNC.
///
/// After an error the server skips to the next Sync: exchanges skipped whole end with error "aborted", complete, where the
/// ReadyForQuery stands: that they were not run is all there is to know.
///
/// Losses: see Turns; here ReadyForQuery helps, for it says that everything up to its Sync has been answered.
class Exchanges {
public:
    static constexpr std::size_t kMostOpen = 4096;

    /// Position after the last byte told of.
    void saw(Direction direction, std::uint64_t position) {
        (direction == Direction::request ? request_seen_ : response_seen_) = position;
    }

    // The client's side.
    /// A message arrives that opens an exchange. True: its sender takes turns, so whatever was not understood of the response
    /// before is over.
    [[nodiscard]] bool turn_begins(bool response_lost, bool response_between, Sink& sink);
    Exchange& open(std::uint64_t begin, Sink& sink);
    /// The same, for Parse, Bind, Describe and Close, to which more will be added.
    Exchange& open_group(std::uint64_t begin, Sink& sink);
    [[nodiscard]] Exchange* current() { return group_; }  ///< null: none has been begun since the last Execute, Sync, …
    /// The last one, while its Sync has not been seen and it is not over. Null otherwise.
    [[nodiscard]] Exchange* unsynced() { return unsynced_; }
    void ask(Exchange& exchange, Asked asked);
    void announce(Exchange& exchange, Sink& sink);
    void end_request(Exchange& exchange, std::uint64_t end, bool complete, Sink& sink);
    /// Ends the group without an Execute.
    void seal_group(std::uint64_t end, bool complete, Sink& sink);
    void seal(Exchange& exchange);
    void synced() { unsynced_ = nullptr; }
    Exchange* copying() { return copying_; }
    /// Of one that is not answered.
    void forget(const Exchange& exchange) { erase(exchange); }
    /// The Sync behind what a gap has hidden was seen.
    void confirm_sync();
    void lose_requests(std::uint64_t position, Sink& sink);

    // The server's side.
    void hear() { heard_ = true; }
    /// Null: the server speaks of nobody that is known.
    [[nodiscard]] Exchange* answering() {
        return !queue_.empty() && queue_.front().answerable ? queue_.front().exchange : nullptr;
    }
    [[nodiscard]] Asked front() const { return queue_.front().asked; }
    void respond(Exchange& exchange, std::uint64_t begin, Sink& sink) {
        if (!exchange.responding) {
            begin_response(exchange, begin, sink);
        }
    }
    /// The front message has been answered.
    void answered(std::uint64_t end, Sink& sink);
    void fail(std::string sqlstate, std::uint64_t begin, std::uint64_t end, Sink& sink);
    void copy_in_begins();
    void ready(std::uint64_t begin, std::uint64_t end, std::string_view status, Sink& sink);
    [[nodiscard]] bool aborting() const { return aborting_; }
    /// Part of the response in progress went unseen. True: it is the only one, so that its end may be recognised.
    [[nodiscard]] bool lose_responses(std::uint64_t position, Sink& sink);
    /// What is answered is not what was asked.
    void lose_order(std::uint64_t position, Sink& sink);
    void finish_requests(std::uint64_t position, Sink& sink);
    void finish_responses(std::uint64_t position, Sink& sink);
    [[nodiscard]] bool alone() const { return exchanges_.size() == 1; }

private:
    struct Item {
        Asked asked;
        Exchange* exchange;  ///< stays while it has items: they are what it waits for
        bool answerable;
    };
    void begin_response(Exchange& exchange, std::uint64_t begin, Sink& sink);
    void give_up(std::uint64_t position, Sink& sink);
    void pop(std::uint64_t end, Sink& sink);
    void finish_if_over(Exchange& exchange, std::uint64_t end, Sink& sink);
    static bool brings_ready(Asked asked);

    void erase(const Exchange& exchange);
    void clear();

    std::vector<std::unique_ptr<Exchange>> exchanges_;  ///< in the order in which they began; mostly one or two
    std::vector<std::unique_ptr<Exchange>> spare_;      ///< exchanges come and go one by one; these keep their memory
    Ring<Item> queue_;
    std::uint64_t last_ = 0;  ///< number of the latest, which is its correlation
    Exchange* group_ = nullptr;
    Exchange* unsynced_ = nullptr;
    Exchange* copying_ = nullptr;
    std::uint64_t request_seen_ = 0;
    std::uint64_t response_seen_ = 0;
    bool certain_ = true;
    bool heard_ = false;
    bool interleaved_ = false;
    bool aborting_ = false;
};

}  // namespace timesink::proto::postgres
