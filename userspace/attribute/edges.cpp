#include "attribute/edges.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace timesink::attribute {

namespace {

bool is_loopback(std::string_view address) {
    return address.starts_with("127.") || address == "::1";
}

/// Eight bytes a step: multiplied by an odd number, and the upper bits, on which all of them act, folded onto the lower.
class Hash {
public:
    void add(std::string_view text) {
        add(std::uint64_t{text.size()});
        for (; text.size() >= sizeof(std::uint64_t); text.remove_prefix(sizeof(std::uint64_t))) {
            add(word_of(text));
        }
        add(word_of(text));
    }
    void add(std::uint64_t number) {
        value_ = (value_ ^ number) * 0x9e3779b97f4a7c15;
        value_ ^= value_ >> 32U;
    }
    [[nodiscard]] std::uint64_t value() const { return value_; }

private:
    static std::uint64_t word_of(std::string_view bytes) {
        std::uint64_t word = 0;
        if (!bytes.empty()) {
            std::memcpy(&word, bytes.data(), std::min(bytes.size(), sizeof(word)));
        }
        return word;
    }
    std::uint64_t value_ = 0xcbf29ce484222325;
};

}  // namespace

Edges::Ends Edges::ends_of(const event::Endpoint& client, const event::Endpoint& server, std::uint32_t network_namespace) {
    Hash hash;
    hash.add(client.address);
    hash.add(std::uint64_t{client.port});
    hash.add(server.address);
    hash.add(std::uint64_t{server.port});
    hash.add(std::uint64_t{is_loopback(server.address) ? network_namespace : 0});
    return Ends{hash.value()};
}

void Edges::sent(const request::Exchange& exchange) {
    if (exchange.local.port != 0 && exchange.remote.port != 0) {
        open_[ends_of(exchange.local, exchange.remote, exchange.network_namespace)].push_back(
            {exchange.id, exchange.sent, exchange.position});
    }
}

void Edges::answered(const request::Exchange& exchange) {
    const Ends ends = ends_of(exchange.local, exchange.remote, exchange.network_namespace);
    std::vector<Open>* const found = open_.find(ends);
    if (found == nullptr) {
        return;
    }
    std::erase_if(*found, [&](const Open& open) { return open.exchange == exchange.id; });
    if (found->empty()) {
        open_.erase(ends);
    }
}

ExchangeId Edges::began(const request::Unit& unit) {
    std::vector<Open>* const found = open_.find(ends_of(unit.client, unit.server, unit.network_namespace));
    if (found == nullptr || unit.client.port == 0 || unit.begin == Instant{}) {
        return {};
    }
    Open* only = nullptr;
    Open* same_position = nullptr;
    std::size_t candidates = 0;
    for (Open& open : *found) {
        if (open.taken || open.sent > unit.begin) {
            continue;
        }
        only = &open;
        ++candidates;
        same_position = open.position == unit.position ? &open : same_position;
    }
    Open* const chosen = candidates == 1 ? only : same_position;
    if (chosen == nullptr) {
        return {};
    }
    chosen->taken = true;
    return chosen->exchange;
}

void InsideCalls::drawn(UnitId callee, const std::vector<Piece>& pieces) {
    std::vector<Piece>* const kept = expected_.find(callee);
    if (kept != nullptr && pieces.size() <= kMostPieces) {
        *kept = pieces;
    }
}

std::shared_ptr<const Inside> InsideCalls::of(const OwnedExchange& owned, const std::vector<Piece>& pieces) const {
    const std::vector<Piece>* const known = owned.exchange.callee == UnitId{} ? nullptr : expected_.find(owned.exchange.callee);
    if (known == nullptr || known->empty()) {
        return nullptr;
    }
    auto inside = std::make_shared<Inside>();
    inside->between = owned.on_path;
    auto callee = known->begin();
    for (const Piece& piece : pieces) {
        if (piece.exchange != owned.exchange.id) {
            continue;
        }
        while (callee != known->end() && callee->span.end <= piece.span.begin) {
            ++callee;
        }
        for (auto at = callee; at != known->end() && at->span.begin < piece.span.end; ++at) {
            const Duration common = std::min(at->span.end, piece.span.end) - std::max(at->span.begin, piece.span.begin);
            inside->by_cause[static_cast<std::size_t>(at->cause)] += common;
            inside->between -= common;
        }
    }
    return inside;
}

}  // namespace timesink::attribute
