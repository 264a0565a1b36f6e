#include "analyze/unit_calls.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace timesink::analyze {

namespace {

using attribute::Bucket;
using attribute::Cause;

/// What the caller does between two calls that follow each other "right after": more than this, and it may well have been
/// working on the first answer to make the second call.
constexpr Duration kRightAfter = std::chrono::milliseconds(1);

Duration on_path_of(const CallFacts& call, Cause cause) {
    return call.by_cause[static_cast<std::size_t>(cause)];
}

}  // namespace

Duration call_length(const request::Exchange& exchange) {
    const Instant last =
        std::max({exchange.sent_end, exchange.arrived, exchange.arrived_end, exchange.read_begin, exchange.read_end});
    return std::max(last - exchange.sent, Duration::zero());
}

std::string peer_name(const event::Endpoint& endpoint) {
    if (endpoint.port == 0) {
        return endpoint.address;
    }
    const bool v6 = endpoint.address.find(':') != std::string::npos;
    return (v6 ? "[" + endpoint.address + "]" : endpoint.address) + ":" + std::to_string(endpoint.port);
}

CallKey::CallKey(const CallView& view)
    : bucket(view.bucket),
      housekeeping(view.housekeeping),
      protocol(view.protocol),
      operation(view.operation),
      host(view.host),
      statement(view.statement),
      line(view.line),
      internal(view.internal) {}

CallView CallKey::view() const {
    return {bucket, housekeeping, protocol, operation, host, statement, line, internal};
}

void UnitCalls::read(const attribute::Account& account) {
    calls_.resize(account.exchanges.size());
    find_attempts(account.exchanges, attempts_);
    for (std::size_t i = 0; i < calls_.size(); ++i) {
        const attribute::OwnedExchange& owned = account.exchanges[i];
        const request::Exchange& exchange = owned.exchange;
        CallFacts& call = calls_[i];
        call.owned = &owned;
        call.length = call_length(exchange);
        call.by_cause = {};
        call.setup = {};
        call.attempt = attempts_[i];
        call.before_first_token = {};
        call.repeat = false;
        call.peer.clear();
        // A database is its protocol and statement: its replicas are one line. Others are told apart by where they are, and so is
        // what a rule takes for one.
        const bool has_place = owned.bucket != Bucket::db || exchange.protocol == "http";
        if (has_place && exchange.host.empty()) {
            call.peer = peer_name(exchange.remote);
        }
        call.view = {owned.bucket, exchange.housekeeping, exchange.protocol, exchange.operation,
                     {},           exchange.statement,    owned.line,        owned.internal};
        if (has_place) {
            call.view.host = exchange.host.empty() ? std::string_view(call.peer) : std::string_view(exchange.host);
        }
    }
    charge_pieces(account);
    find_repeats();
    find_sequences();
}

void UnitCalls::charge_pieces(const attribute::Account& account) {
    // Exchanges are numbered as they begin and listed as they were sent: nearly sorted, but not by contract.
    order_.resize(calls_.size());
    std::iota(order_.begin(), order_.end(), 0U);
    const auto id_of = [&](std::uint32_t index) { return calls_[index].owned->exchange.id; };
    const auto by_id = [&](std::uint32_t a, std::uint32_t b) { return id_of(a) < id_of(b); };
    if (!std::is_sorted(order_.begin(), order_.end(), by_id)) {
        std::sort(order_.begin(), order_.end(), by_id);
    }
    for (const attribute::Piece& piece : account.pieces) {
        if (piece.exchange == ExchangeId{}) {
            continue;
        }
        const auto found = std::lower_bound(order_.begin(), order_.end(), piece.exchange,
                                            [&](std::uint32_t index, ExchangeId id) { return id_of(index) < id; });
        if (found != order_.end() && id_of(*found) == piece.exchange) {
            CallFacts& call = calls_[*found];
            call.by_cause[static_cast<std::size_t>(piece.cause)] += piece.span.length();
            const auto& genai = call.owned->exchange.genai;
            if (genai != nullptr && genai->first_token > piece.span.begin) {
                call.before_first_token += std::min(piece.span.end, genai->first_token) - piece.span.begin;
            }
        }
    }
    for (CallFacts& call : calls_) {
        const request::Exchange& exchange = call.owned->exchange;
        if (exchange.connect_began != Instant{}) {
            call.setup = exchange.housekeeping ? call.owned->on_path
                                               : on_path_of(call, Cause::db_connect) + on_path_of(call, Cause::provider_connect);
        }
    }
}

void UnitCalls::find_repeats() {
    order_.clear();
    for (std::uint32_t i = 0; i < calls_.size(); ++i) {
        const request::Exchange& exchange = calls_[i].owned->exchange;
        // Without a name two calls cannot be said to be the same.
        if (!exchange.housekeeping && exchange.fingerprint != 0) {
            order_.push_back(i);
        }
    }
    const auto key = [&](std::uint32_t i) {
        return std::make_tuple(calls_[i].owned->exchange.fingerprint, calls_[i].owned->exchange.sent, i);
    };
    std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) { return key(a) < key(b); });
    for (std::size_t i = 1; i < order_.size(); ++i) {
        const request::Exchange& before = calls_[order_[i - 1]].owned->exchange;
        const request::Exchange& exchange = calls_[order_[i]].owned->exchange;
        calls_[order_[i]].repeat = before.fingerprint == exchange.fingerprint && before.read_end != Instant{} &&
                                   before.read_end <= exchange.sent && calls_[order_[i - 1]].view == calls_[order_[i]].view;
    }
}

void UnitCalls::find_sequences() {
    in_sequence_ = 0;
    sequence_gain_ = {};
    order_.clear();
    for (std::uint32_t i = 0; i < calls_.size(); ++i) {
        const Bucket bucket = calls_[i].owned->bucket;
        if ((bucket == Bucket::provider || bucket == Bucket::transfer) && !calls_[i].view.housekeeping) {
            order_.push_back(i);
        }
    }
    std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
        return std::make_pair(calls_[a].owned->exchange.sent, a) < std::make_pair(calls_[b].owned->exchange.sent, b);
    });
    std::uint64_t members = 0;
    Duration sum{};
    Duration longest{};
    const auto close = [&] {
        if (members >= 2) {
            in_sequence_ += members;
            sequence_gain_ += sum - longest;
        }
        members = 0;
        sum = longest = {};
    };
    for (std::size_t i = 0; i < order_.size(); ++i) {
        const CallFacts& call = calls_[order_[i]];
        if (i > 0) {
            const CallFacts& before = calls_[order_[i - 1]];
            const Duration gap = call.owned->exchange.sent - before.owned->exchange.read_end;
            const bool follows = before.owned->exchange.read_end != Instant{} && gap >= Duration::zero() && gap <= kRightAfter;
            if (!follows || call.view == before.view) {
                close();
            }
        }
        ++members;
        sum += call.owned->on_path;
        longest = std::max(longest, call.owned->on_path);
    }
    close();
}

}  // namespace timesink::analyze
