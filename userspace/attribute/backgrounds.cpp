#include "attribute/backgrounds.hpp"

#include <algorithm>
#include <limits>

namespace timesink::attribute {

namespace {

/// No call is on it.
constexpr SocketId kNoSocket{std::numeric_limits<std::uint64_t>::max()};

Instant end_of(const request::Exchange& exchange) {
    return std::max({exchange.sent, exchange.sent_end, exchange.arrived_end, exchange.read_end});
}

}  // namespace

LiveUnit* Backgrounds::find(UnitId request, Instant sent) {
    const auto found = open_.find(request);
    if (found == open_.end() || found->second.live == nullptr) {
        return nullptr;
    }
    const Open& open = found->second;
    const bool quiet = open.open == 0 && sent > open.latest + kQuiet;
    const bool cut_off = open.open == 0 && sent > open.live->unit.begin + kLongest;
    if (quiet || cut_off || open.live->exchanges.size() >= kMostCalls) {
        end(found);
        return nullptr;
    }
    return open.live;
}

void Backgrounds::begin(LiveUnit& fresh, const Answered& request, Instant sent) {
    Open& open = open_[request.id];
    const Instant since = std::max(request.end, open.cut);
    request::Unit& unit = fresh.unit;
    unit.kind = request::UnitKind::background;
    unit.request = request.id;
    unit.complete = true;
    unit.socket = kNoSocket;
    unit.protocol = request.protocol;
    unit.method = request.method;
    unit.path = request.path;
    unit.route = request.route;
    unit.server = request.server;
    unit.network_namespace = request.network_namespace;
    unit.process = request.process;
    unit.thread = request.thread;
    unit.answered_by = request.answered_by;
    unit.begin = unit.read_begin = sent <= since + kQuiet ? since : sent;
    unit.end = unit.begin;
    fresh.activated = unit.begin;
    fresh.alone = false;
    // Its threads work for others, too, and when they do nothing tells: what they do says something of it only at its own calls.
    fresh.shared = {{unit.begin, Instant::max()}};
    open.live = &fresh;
    open.latest = std::max(unit.begin, sent);
    look_when_due(request.id, open);
}

void Backgrounds::sent(UnitId request) {
    ++open_[request].open;
}

void Backgrounds::answered(UnitId request, const request::Exchange& exchange) {
    const auto found = open_.find(request);
    if (found == open_.end()) {
        return;
    }
    Open& open = found->second;
    open.open -= std::min<std::size_t>(open.open, 1);
    if (open.live == nullptr) {
        if (open.open == 0) {
            open_.erase(found);
        }
        return;
    }
    open.latest = std::max(open.latest, end_of(exchange));
    request::Unit& unit = open.live->unit;
    if (end_of(exchange) >= unit.end) {
        unit.end = end_of(exchange);
        unit.answered_by = exchange.read_by != ThreadId{} ? exchange.read_by : exchange.sent_by;
    }
    if (due(open) < open.look) {
        look_when_due(request, open);
    }
}

void Backgrounds::look_when_due(UnitId request, Open& open) {
    open.look = due(open);
    due_.insert({open.look, request});
}

Instant Backgrounds::due(const Open& open) {
    return open.open > 0 ? open.live->unit.begin + kLongest : open.latest + kQuiet;
}

void Backgrounds::end(AllOpen::iterator at) {
    Open& open = at->second;
    ended_.push_back(open.live);
    open.cut = open.live->unit.end;
    open.live = nullptr;
    if (open.open == 0) {
        open_.erase(at);
    }
}

std::vector<LiveUnit*> Backgrounds::take_ended(Instant known) {
    while (!due_.empty() && due_.begin()->first < known) {
        const UnitId request = due_.begin()->second;
        due_.erase(due_.begin());
        const auto found = open_.find(request);
        if (found == open_.end() || found->second.live == nullptr) {
            continue;
        }
        if (due(found->second) < known) {
            end(found);
        } else {
            look_when_due(request, found->second);
        }
    }
    return std::exchange(ended_, {});
}

}  // namespace timesink::attribute
