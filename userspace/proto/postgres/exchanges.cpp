#include "proto/postgres/exchanges.hpp"

#include <algorithm>
#include <utility>

namespace timesink::proto::postgres {

bool Exchanges::brings_ready(Asked asked) {
    return asked == Asked::startup || asked == Asked::query || asked == Asked::function || asked == Asked::sync ||
           asked == Asked::unseen;
}

/// A client that takes turns asks only when everything before has been answered; see Turns.
bool Exchanges::turn_begins(bool response_lost, bool response_between, Sink& sink) {
    const bool takes_turns = heard_ && !interleaved_;
    if (heard_ && !queue_.empty()) {
        queue_.front().exchange->overlapped = true;
    }
    heard_ = false;
    // What a gap hid may have had no Sync, and so no ReadyForQuery that ends it.
    const bool answerable = !queue_.empty() && queue_.front().answerable && queue_.front().asked != Asked::unseen;
    if (!takes_turns || !(response_lost || (!certain_ && response_between && !answerable))) {
        return false;
    }
    give_up(response_seen_, sink);
    certain_ = true;
    return true;
}

Exchange& Exchanges::open(std::uint64_t begin, Sink& sink) {
    if (exchanges_.size() >= kMostOpen) {
        certain_ = false;
        give_up(response_seen_, sink);
    }
    if (spare_.empty()) {
        spare_.push_back(std::make_unique<Exchange>());
    }
    exchanges_.push_back(std::move(spare_.back()));
    spare_.pop_back();
    exchanges_.back()->restart(Correlation{++last_}, begin);
    return *exchanges_.back();
}

void Exchanges::erase(const Exchange& exchange) {
    constexpr std::size_t kMostSpare = 2;  // a connection that takes turns has one or two open
    for (Exchange** named : {&group_, &unsynced_, &copying_}) {
        *named = *named == &exchange ? nullptr : *named;
    }
    const auto at = std::find_if(exchanges_.begin(), exchanges_.end(), [&](const auto& each) { return each.get() == &exchange; });
    if (spare_.size() < kMostSpare) {
        spare_.push_back(std::move(*at));
    }
    exchanges_.erase(at);
}

void Exchanges::clear() {
    exchanges_.clear();
    queue_ = {};
    group_ = unsynced_ = copying_ = nullptr;
}

Exchange& Exchanges::open_group(std::uint64_t begin, Sink& sink) {
    group_ = &open(begin, sink);
    return *group_;
}

void Exchanges::ask(Exchange& exchange, Asked asked) {
    ++exchange.waiting;
    queue_.push_back({asked, &exchange, certain_});
}

void Exchanges::announce(Exchange& exchange, Sink& sink) {
    if (exchange.announced) {
        return;
    }
    exchange.announced = true;
    Head& head = exchange.request;
    if (exchange.statement != nullptr) {
        head.target = exchange.statement->text;
        head.target_truncated = exchange.statement->truncated;
        head.statement_name = exchange.statement->name;
    }
    if (head.operation.empty() && exchange.statement != nullptr) {
        head.operation = exchange.statement->operation;
        head.housekeeping = exchange.statement->housekeeping;
    }
    if (exchange.copies_in) {
        copying_ = &exchange;
    }
    sink.head(head);
}

void Exchanges::end_request(Exchange& exchange, std::uint64_t end, bool complete, Sink& sink) {
    if (exchange.request_ended || !exchange.announced) {
        return;
    }
    exchange.request_ended = true;
    if (copying_ == &exchange) {
        copying_ = nullptr;
    }
    sink.end({.direction = Direction::request,
              .correlation = exchange.request.correlation,
              .end = end,
              .body_bytes = exchange.request_bytes,
              .complete = complete});
}

void Exchanges::seal(Exchange& exchange) {
    exchange.sealed = true;
    group_ = nullptr;
    unsynced_ = &exchange;
}

void Exchanges::seal_group(std::uint64_t end, bool complete, Sink& sink) {
    Exchange* exchange = current();
    if (exchange == nullptr) {
        return;
    }
    if (exchange->request.operation.empty()) {
        exchange->request.operation = exchange->binds    ? "BIND"
                                      : exchange->parses ? "PREPARE"
                                      : exchange->closes ? "CLOSE"
                                                         : "DESCRIBE";
        exchange->request.housekeeping = !exchange->binds;
    }
    announce(*exchange, sink);
    end_request(*exchange, end, complete, sink);
    seal(*exchange);
    finish_if_over(*exchange, response_seen_, sink);
}

void Exchanges::lose_requests(std::uint64_t position, Sink& sink) {
    certain_ = false;
    if (Exchange* exchange = current()) {
        // Its Execute is most likely among what was not seen.
        exchange->request.operation = exchange->statement != nullptr ? leading_keyword(exchange->statement->text) : "";
        announce(*exchange, sink);
        end_request(*exchange, position, false, sink);
        ++exchange->waiting;
        queue_.push_back({Asked::unseen, exchange, queue_.empty() || queue_.back().answerable});
        seal(*exchange);
    } else if (Exchange* last = unsynced(); last != nullptr && last->executed) {
        ++last->waiting;
        queue_.push_back({Asked::unseen, last, queue_.back().answerable});
    }
    unsynced_ = nullptr;
}

void Exchanges::confirm_sync() {
    // Behind an answer it is another call's Sync: the end of the call with the gap was hidden too.
    if (!queue_.empty() && queue_.back().asked == Asked::unseen && !queue_.back().exchange->responding) {
        queue_.back().exchange->sync_seen = true;
    }
}

void Exchanges::begin_response(Exchange& exchange, std::uint64_t begin, Sink& sink) {
    announce(exchange, sink);
    exchange.responding = true;
    sink.head({.direction = Direction::response, .correlation = exchange.request.correlation, .begin = begin});
}

void Exchanges::answered(std::uint64_t end, Sink& sink) {
    pop(end, sink);
}

void Exchanges::pop(std::uint64_t end, Sink& sink) {
    Exchange& exchange = *queue_.front().exchange;
    queue_.pop_front();
    --exchange.waiting;
    finish_if_over(exchange, end, sink);
}

void Exchanges::finish_if_over(Exchange& exchange, std::uint64_t end, Sink& sink) {
    if (exchange.waiting > 0 || !exchange.sealed) {
        return;
    }
    // Answered before its data was seen to end: that went unseen, and with it the Sync.
    exchange.cut =
        exchange.cut || (exchange.executed && exchange.copies_in && !exchange.request_ended && exchange.response.error.empty());
    interleaved_ = interleaved_ || (exchange.overlapped && !exchange.cut);
    respond(exchange, end, sink);
    end_request(exchange, request_seen_, false, sink);
    exchange.response.end = end;
    exchange.response.complete = !exchange.cut;
    if (exchange.aborted && exchange.response.error.empty()) {
        exchange.response.error = "aborted";
    }
    sink.end(exchange.response);
    erase(exchange);
}

void Exchanges::fail(std::string sqlstate, std::uint64_t begin, std::uint64_t end, Sink& sink) {
    const Asked asked = queue_.front().asked;
    Exchange& exchange = *queue_.front().exchange;
    respond(exchange, begin, sink);
    exchange.response.error = std::move(sqlstate);
    if (asked == Asked::startup || asked == Asked::ssl) {
        pop(end, sink);  // the server closes the connection
        return;
    }
    if (brings_ready(asked)) {
        return;
    }
    aborting_ = true;
    while (!queue_.empty() && queue_.front().exchange == &exchange && !brings_ready(queue_.front().asked)) {
        pop(end, sink);
    }
}

void Exchanges::copy_in_begins() {
    // While it copies in, the server ignores Sync (CopyGetData in backend/commands/copyfromparse.c): libpq sends one along with
    // the Execute, and another after the data.
    const Item copying = queue_.front();
    std::size_t syncs = 0;
    for (; syncs + 1 < queue_.size() && queue_[syncs + 1].asked == Asked::sync; ++syncs) {
        Exchange& owner = *queue_[syncs + 1].exchange;
        owner.sealed = --owner.waiting == 0 || owner.sealed;
    }
    queue_[syncs] = copying;
    for (; syncs > 0; --syncs) {
        queue_.pop_front();
    }
    unsynced_ = copying.exchange;
}

void Exchanges::ready(std::uint64_t begin, std::uint64_t end, std::string_view status, Sink& sink) {
    const bool skipped = std::exchange(aborting_, false);
    std::size_t upto = 0;
    while (upto < queue_.size() && queue_[upto].answerable && !brings_ready(queue_[upto].asked)) {
        ++upto;
    }
    const bool known = upto < queue_.size() && queue_[upto].answerable;  // else its Sync was not seen
    for (; upto > 0; --upto) {
        Exchange& exchange = *queue_.front().exchange;
        exchange.aborted = exchange.aborted || (skipped && known);
        exchange.cut = exchange.cut || (!skipped && !exchange.answered_whole) || !known;
        respond(exchange, begin, sink);
        pop(end, sink);
    }
    if (!known) {
        return;
    }
    Exchange& exchange = *queue_.front().exchange;
    respond(exchange, begin, sink);
    if (!status.empty()) {
        exchange.response.attributes.emplace_back("postgresql.transaction", status.substr(0, 1));
    }
    if (queue_.front().asked == Asked::unseen) {
        // One statement answers so; more were hidden by the same gap, or not all of it is there.
        const std::uint64_t most = exchange.executed ? 0 : 1;
        exchange.cut = exchange.cut || !exchange.sync_seen || exchange.parse_answers > most || exchange.bind_answers > most ||
                       exchange.completions != 1;
    }
    pop(end, sink);
}

bool Exchanges::lose_responses(std::uint64_t position, Sink& sink) {
    const Exchange* exchange = answering();
    if (certain_ && exchange != nullptr && exchange->responding && alone()) {
        return true;
    }
    certain_ = false;
    give_up(position, sink);
    return false;
}

void Exchanges::lose_order(std::uint64_t position, Sink& sink) {
    certain_ = false;
    give_up(position, sink);
}

void Exchanges::finish_requests(std::uint64_t position, Sink& sink) {
    for (const auto& exchange : exchanges_) {
        end_request(*exchange, position, false, sink);
    }
}

void Exchanges::finish_responses(std::uint64_t position, Sink& sink) {
    for (const auto& exchange : exchanges_) {
        if (exchange->responding) {
            exchange->response.end = position;
            exchange->response.complete = false;
            sink.end(exchange->response);
        }
    }
    clear();
}

void Exchanges::give_up(std::uint64_t position, Sink& sink) {
    aborting_ = false;
    for (const auto& exchange : exchanges_) {
        if (!exchange->announced) {
            continue;
        }
        end_request(*exchange, request_seen_, false, sink);
        End& end = exchange->response;
        end.end = position;
        end.complete = false;
        if (!exchange->responding) {
            end.error = "lost";
        }
        sink.end(end);
    }
    clear();
}

}  // namespace timesink::proto::postgres
