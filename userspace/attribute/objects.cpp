#include "attribute/objects.hpp"

#include <algorithm>

#include "attribute/rules.hpp"

namespace timesink::attribute {

namespace {

using request::Exchange;
using request::StorageCall;
using s3::Moves;
using s3::Multipart;

bool succeeded(const Exchange& exchange) {
    return exchange.status >= 200 && exchange.status < 300 && exchange.error.empty();
}

std::string_view kind_of(const Exchange& exchange, proto::Direction direction) {
    const std::string_view type = content_type(exchange, direction);
    return type.starts_with("image/")   ? "image"
           : type.starts_with("video/") ? "video"
           : type.starts_with("audio/") ? "audio"
                                        : "object";
}

bool about_equal(std::uint64_t a, std::uint64_t b) {
    const std::uint64_t difference = a > b ? a - b : b - a;
    return difference <= kAboutBytes || static_cast<double>(difference) <= kAbout * static_cast<double>(std::max(a, b));
}

class Finder {
public:
    Finder(std::vector<OwnedExchange>& exchanges, std::vector<MovedObject>& objects) : exchanges_(exchanges), objects_(objects) {}

    void run() {
        for (OwnedExchange& owned : exchanges_) {
            if (objects_.size() >= kMostObjects) {
                break;
            }
            const StorageCall* call = owned.exchange.storage.get();
            if (call != nullptr && call->multipart != Multipart::none) {
                multipart(owned, *call);
            } else if (call != nullptr && call->moves == Moves::stores) {
                put(owned, *call);
            } else if (call != nullptr && call->moves == Moves::fetches) {
                fetched(owned, call->size);
            } else if (call == nullptr && owned.exchange.protocol == "http") {
                plain(owned);
            }
        }
        join();
    }

private:
    /// Of an object in the making.
    struct State {
        std::uint64_t key = 0;     // of object storage
        std::uint64_t upload = 0;  // ditto, multipart
        bool multipart = false;
        bool failed = false;  // the latest attempt
        bool done = false;    // an upload that has been completed or given up
        bool download = false;
        OwnedExchange* first = nullptr;
        Instant first_byte{};  // of a download's response
        Instant put_sent{};    // when its first byte was sent there
    };

    State& add(OwnedExchange& owned, std::string_view kind) {
        objects_.emplace_back().kind = kind;
        states_.emplace_back().first = &owned;
        return states_.back();
    }
    void belongs(OwnedExchange& owned, std::size_t index) {
        owned.object = static_cast<std::uint32_t>(index) + 1;
        ++objects_[index].exchanges;
    }

    /// Uploads whose id is not known (the request that creates one does not have it) take that of their first part.
    void multipart(OwnedExchange& owned, const StorageCall& call) {
        std::size_t at = states_.size();
        while (at > 0) {
            const State& state = states_[at - 1];
            const bool same_id = state.upload == call.upload || (state.upload == 0 && !state.done);
            if (state.multipart && state.key == call.object && same_id && call.multipart != Multipart::create) {
                break;
            }
            --at;
        }
        if (at == 0) {
            State& state = add(owned, kind_of(owned.exchange, proto::Direction::request));
            state.key = call.object;
            state.multipart = true;
            at = states_.size();
        }
        State& state = states_[at - 1];
        MovedObject& object = objects_[at - 1];
        state.upload = state.upload == 0 ? call.upload : state.upload;
        state.done = state.done || call.multipart == Multipart::complete || call.multipart == Multipart::abort;
        if (call.multipart == Multipart::part) {
            state.put_sent = state.put_sent == Instant{} ? owned.exchange.sent : state.put_sent;
            object.stored = true;
            object.bytes += succeeded(owned.exchange) ? call.size : 0;
        }
        belongs(owned, at - 1);
    }

    void put(OwnedExchange& owned, const StorageCall& call) {
        const auto same = std::find_if(states_.begin(), states_.end(),
                                       [&](const State& state) { return state.failed && state.key == call.object; });
        const auto index = static_cast<std::size_t>(same - states_.begin());
        if (index == states_.size()) {
            State& state = add(owned, kind_of(owned.exchange, proto::Direction::request));
            state.key = call.object;
            state.put_sent = owned.exchange.sent;
        }
        states_[index].failed = !succeeded(owned.exchange);
        objects_[index].stored = true;
        objects_[index].bytes = std::max(objects_[index].bytes, call.size);
        belongs(owned, index);
    }

    void fetched(OwnedExchange& owned, std::uint64_t bytes) {
        if (!succeeded(owned.exchange)) {
            return;
        }
        State& state = add(owned, kind_of(owned.exchange, proto::Direction::response));
        state.download = true;
        state.first_byte = owned.exchange.arrived;
        objects_.back().fetched = true;
        objects_.back().bytes = bytes;
        belongs(owned, states_.size() - 1);
    }

    /// Not of object storage: in bulk, or of a type that may be stored next.
    void plain(OwnedExchange& owned) {
        const Exchange& exchange = owned.exchange;
        const bool gets = exchange.operation == "GET" && exchange.body_in > 0;
        const bool in_bulk = owned.bucket == Bucket::transfer;
        const bool storable = gets && is_moved_type(content_type(exchange, proto::Direction::response));
        if (in_bulk && exchange.body_out > exchange.body_in && exchange.body_out >= kBulkBytes) {
            State& state = add(owned, kind_of(exchange, proto::Direction::request));
            state.put_sent = exchange.sent;
            objects_.back().stored = true;
            objects_.back().bytes = exchange.body_out;
            belongs(owned, states_.size() - 1);
        } else if (in_bulk || storable) {
            fetched(owned, exchange.body_in);
        }
    }

    /// Puts each stored object together with the download that it came from.
    void join() {
        std::vector<std::size_t> into(states_.size());
        for (std::size_t put = 0; put < states_.size(); ++put) {
            into[put] = put;
        }
        std::size_t compared = 0;
        for (std::size_t put = 0; put < states_.size(); ++put) {
            if (!objects_[put].stored || objects_[put].bytes == 0) {
                continue;
            }
            std::size_t best = states_.size();
            for (std::size_t at = 0; at < states_.size() && compared < kMostCompared; ++at, ++compared) {
                const bool fits = states_[at].download && !objects_[at].stored && states_[at].first_byte != Instant{} &&
                                  states_[at].first_byte <= states_[put].put_sent &&
                                  about_equal(objects_[at].bytes, objects_[put].bytes);
                if (fits && (best == states_.size() || distance(at, put) < distance(best, put))) {
                    best = at;
                }
            }
            if (best < states_.size()) {
                objects_[best].stored = true;
                objects_[best].exchanges += objects_[put].exchanges;
                if (objects_[best].kind == "object") {
                    objects_[best].kind = objects_[put].kind;
                }
                into[put] = best;
            }
        }
        renumber(into);
    }

    [[nodiscard]] std::uint64_t distance(std::size_t a, std::size_t b) const {
        return objects_[a].bytes > objects_[b].bytes ? objects_[a].bytes - objects_[b].bytes
                                                     : objects_[b].bytes - objects_[a].bytes;
    }

    /// Takes out what was joined with another, and small downloads that nobody stored: those are no transfer.
    void renumber(const std::vector<std::size_t>& into) {
        std::vector<std::uint32_t> number(states_.size(), 0);
        std::vector<MovedObject> kept;
        for (std::size_t i = 0; i < states_.size(); ++i) {
            OwnedExchange& first = *states_[i].first;
            const bool small = states_[i].download && first.bucket != Bucket::transfer;
            if (into[i] != i || (small && !objects_[i].stored)) {
                continue;
            }
            if (small && first.rule == 0) {
                first.bucket = Bucket::transfer;
            }
            kept.push_back(objects_[i]);
            number[i] = static_cast<std::uint32_t>(kept.size());
        }
        for (OwnedExchange& owned : exchanges_) {
            owned.object = owned.object == 0 ? 0 : number[into[owned.object - 1]];
        }
        objects_.swap(kept);
    }

    static bool is_moved_type(std::string_view type) {
        const std::string_view essence = type.substr(0, type.find(';'));
        return is_bulk_type(essence) || essence == "application/pdf" || essence == "application/zip" ||
               essence == "binary/octet-stream";
    }

    static constexpr std::size_t kMostCompared = 4'000'000;

    std::vector<OwnedExchange>& exchanges_;
    std::vector<MovedObject>& objects_;
    std::vector<State> states_;  // by the index of objects_
};

bool may_move(const OwnedExchange& owned) {
    return owned.bucket == Bucket::transfer || owned.exchange.storage != nullptr;
}

}  // namespace

void find_objects(std::vector<OwnedExchange>& exchanges, std::vector<MovedObject>& objects) {
    if (std::any_of(exchanges.begin(), exchanges.end(), may_move)) {
        Finder(exchanges, objects).run();
    }
}

void measure_objects(const std::vector<OwnedExchange>& exchanges, std::vector<MovedObject>& objects) {
    for (const OwnedExchange& owned : exchanges) {
        if (owned.object != 0) {
            objects[owned.object - 1].on_path += owned.on_path;
            objects[owned.object - 1].hidden += owned.hidden;
        }
    }
}

}  // namespace timesink::attribute
