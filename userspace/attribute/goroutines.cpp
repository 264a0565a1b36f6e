#include "attribute/goroutines.hpp"

#include <algorithm>

namespace timesink::attribute::goroutines {

namespace {

void note(Context& goroutine, const request::Unit& unit) {
    if (goroutine.service == nullptr) {
        goroutine.service = std::make_unique<Service>();
    }
    Service& service = *goroutine.service;
    service.read = std::max(service.read, unit.read_begin);
    if (service.several) {
        return;
    }
    // On one connection they are answered in order, so a second one there is behind the first.
    service.several = std::any_of(service.reading.begin(), service.reading.end(),
                                  [&](const auto& other) { return other.second != unit.socket; });
    service.reading.emplace_back(unit.id, unit.socket);
}

void forget(Context& goroutine, UnitId unit) {
    if (goroutine.service != nullptr) {
        std::erase_if(goroutine.service->reading, [&](const auto& known) { return known.first == unit; });
    }
}

}  // namespace

void reads(const ContextRef& reader, const request::Unit& unit) {
    note(*reader, unit);
    if (reader->parent != nullptr) {
        note(*reader->parent, unit);
    }
}

void has_read(const ContextRef& reader, UnitId unit) {
    forget(*reader, unit);
    if (reader->parent != nullptr) {
        forget(*reader->parent, unit);
    }
}

ContextRef server_of(const ContextRef& answered_in, const ContextRef& reader) {
    if (answered_in == nullptr || reader == nullptr || (reader != answered_in && reader->parent != answered_in)) {
        return nullptr;
    }
    const bool alone = answered_in->service != nullptr && !answered_in->service->several;
    return alone ? answered_in : nullptr;
}

void served(Context& server, const LiveUnit& live) {
    server.service->begin = live.activated;
    server.service->end = live.unit.end;
}

bool works_for(const ContextRef& sent_in, Instant sent, const Context& server, const LiveUnit& live, const Outliving& outliving) {
    Instant at = sent;
    for (const Context* goroutine = sent_in.get(); goroutine != nullptr; goroutine = goroutine->parent.get()) {
        if (goroutine == &server) {
            return at >= live.activated && at <= live.unit.end;
        }
        if (goroutine->unit != UnitId{} || outliving.contains(goroutine->start)) {
            return false;
        }
        at = goroutine->made;
    }
    return false;
}

bool left_behind(const ContextRef& sent_in, Instant sent, Outliving& outliving) {
    const Context* child = nullptr;
    Instant at = sent;
    for (Context* goroutine = sent_in.get(); goroutine != nullptr; goroutine = goroutine->parent.get()) {
        const Service* service = goroutine->service.get();
        const bool has_answered = service != nullptr && service->end != Instant{};
        if (has_answered && (child == nullptr ? service->reading.empty() : at <= service->end)) {
            if (child != nullptr && ++sent_in->outlived > kOutlivedMost && sent_in->start != 0) {
                outliving.insert(sent_in->start);
            }
            return true;
        }
        child = goroutine;
        at = goroutine->made;
    }
    return false;
}

}  // namespace timesink::attribute::goroutines
