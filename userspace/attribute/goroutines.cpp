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
    service.several = !service.reading.empty();
    service.reading.push_back(unit.id);
}

void forget(Context& goroutine, UnitId unit) {
    if (goroutine.service != nullptr) {
        std::erase(goroutine.service->reading, unit);
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
    server.service->end = live.unit.end;
}

bool works_for(const ContextRef& sent_in, Instant sent, const Context& server, const LiveUnit& live, const Functions& functions) {
    Instant at = sent;
    for (const Context* goroutine = sent_in.get(); goroutine != nullptr; goroutine = goroutine->parent.get()) {
        if (goroutine == &server) {
            return at >= live.activated && at <= live.unit.end;
        }
        if (goroutine->unit != UnitId{} || !functions.works_for_its_maker(goroutine->start)) {
            return false;
        }
        at = goroutine->made;
    }
    return false;
}

std::optional<Evidence> left_behind(const ContextRef& sent_in, Instant sent, Functions& functions) {
    bool believed = true;
    const Context* child = nullptr;
    Instant at = sent;
    for (const Context* goroutine = sent_in.get(); goroutine != nullptr; goroutine = goroutine->parent.get()) {
        const Service* service = goroutine->service.get();
        const bool has_answered = service != nullptr && service->end != Instant{};
        if (has_answered && (child == nullptr ? service->reading.empty() : at <= service->end)) {
            if (child != nullptr && !sent_in->strayed) {
                sent_in->strayed = true;
                functions.strayed(sent_in->start);
            }
            return believed ? Evidence::none : Evidence::ambiguous;
        }
        believed = believed && functions.works_for_its_maker(goroutine->start);
        child = goroutine;
        at = goroutine->made;
    }
    return std::nullopt;
}

}  // namespace timesink::attribute::goroutines
