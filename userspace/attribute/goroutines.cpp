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
    service.made_for.reset();
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

/// The innermost of the goroutines from `from` outwards that was made before; `outermost` was.
Context& made_by(Instant before, Context& from, Context& outermost) {
    Context* goroutine = &from;
    while (goroutine != &outermost && goroutine->made > before) {
        goroutine = goroutine->parent.get();
    }
    return *goroutine;
}

/// The unit in whose time the goroutine was made by that one's server; null: it is none's, or not known.
AnsweredRef maker_of(const Context& goroutine, const Service& service) {
    const AnsweredRef unit = goroutine.made_for == nullptr ? nullptr : *goroutine.made_for;
    const bool in_its_time = unit != nullptr && goroutine.made >= unit->activated && goroutine.made <= unit->end;
    return in_its_time && !service.several ? unit : nullptr;
}

}  // namespace

void Functions::ended(const Context& goroutine) {
    Lives& lives = known_[goroutine.start];
    ++lives.ended;
    if (goroutine.sent_after == 0) {
        return;
    }
    lives.fewest = lives.went_on == 0 ? goroutine.sent_after : std::min(lives.fewest, goroutine.sent_after);
    lives.most = std::max(lives.most, goroutine.sent_after);
    lives.mixed += goroutine.sent_within > 0 ? 1 : 0;
    ++lives.went_on;
}

bool Functions::goes_on_for_its_maker(std::uint32_t start) const {
    constexpr std::uint32_t kVaries = 4;
    const auto found = known_.find(start);
    if (start == 0 || found == known_.end() || found->second.went_on < kEndedLeast) {
        return false;
    }
    const Lives& lives = found->second;
    return lives.mixed * kEndedToStrayed <= lives.went_on && lives.most <= kVaries * lives.fewest;
}

void made(Context& goroutine) {
    const Context* maker = goroutine.parent.get();
    if (maker == nullptr || maker->service == nullptr || maker->service->reading.empty()) {
        return;
    }
    std::shared_ptr<AnsweredRef>& of_maker = maker->service->made_for;
    if (of_maker == nullptr) {
        of_maker = std::make_shared<AnsweredRef>();
    }
    goroutine.made_for = of_maker;
}

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
    Service& service = *server.service;
    service.end = live.unit.end;
    service.answered = answered(live);
    if (service.made_for != nullptr) {
        *service.made_for = service.answered;
        service.made_for.reset();
    }
}

void answers_another(const ContextRef& writer) {
    if (writer != nullptr && writer->service != nullptr) {
        writer->service->answered.reset();
    }
}

bool works_for(const ContextRef& sent_in, Instant sent, const Context& server, const LiveUnit& live, const Functions& functions) {
    for (const Context* goroutine = sent_in.get(); goroutine != nullptr && goroutine != &server;
         goroutine = goroutine->parent.get()) {
        if (!functions.works_for_its_maker(goroutine->start)) {
            return false;
        }
    }
    return descends_from(sent_in, sent, server, live);
}

bool descends_from(const ContextRef& sent_in, Instant sent, const Context& server, const LiveUnit& live) {
    Instant at = sent;
    for (const Context* goroutine = sent_in.get(); goroutine != nullptr; goroutine = goroutine->parent.get()) {
        if (goroutine == &server) {
            return at >= live.activated && at <= live.unit.end;
        }
        if (goroutine->unit != UnitId{}) {
            return false;
        }
        at = goroutine->made;
    }
    return false;
}

std::optional<LeftBehind> left_behind(const ContextRef& sent_in, Instant sent, Functions& functions) {
    bool believed = true;
    Context* child = nullptr;
    Instant at = sent;
    for (Context* goroutine = sent_in.get(); goroutine != nullptr; goroutine = goroutine->parent.get()) {
        const Service* service = goroutine->service.get();
        const bool has_answered = service != nullptr && service->end != Instant{};
        if (has_answered && child == nullptr && service->reading.empty()) {
            return LeftBehind{Evidence::none, true, service->several ? nullptr : service->answered};
        }
        if (has_answered && child != nullptr && at <= service->end) {
            // What is made when the unit is over cannot help it.
            Context& goes_on = made_by(service->end, *sent_in, *child);
            ++goes_on.sent_after;
            if (!goes_on.strayed) {
                goes_on.strayed = true;
                functions.strayed(goes_on.start);
            }
            return believed ? LeftBehind{Evidence::none, false, maker_of(*child, *service)}
                            : LeftBehind{Evidence::ambiguous, false, nullptr};
        }
        believed =
            believed && (functions.works_for_its_maker(goroutine->start) || functions.goes_on_for_its_maker(goroutine->start));
        child = goroutine;
        at = goroutine->made;
    }
    ++sent_in->sent_within;
    return std::nullopt;
}

}  // namespace timesink::attribute::goroutines
