#include "redact/redactor.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "event/merge.hpp"
#include "event/record.hpp"
#include "redact/fact_mask.hpp"
#include "redact/masks.hpp"
#include "redact/streams.hpp"

namespace timesink::redact {
namespace {

/// Records as they were pushed, aligned.
struct Block {
    std::vector<std::uint64_t> words;
    std::size_t bytes = 0;
    std::size_t released = 0;
    [[nodiscard]] std::byte* data() { return reinterpret_cast<std::byte*>(words.data()); }
};

/// A record that is held.
struct Held {
    std::byte* record;
    std::uint32_t size;
    std::uint32_t payload_begin;  ///< 0: it is of a kind that has none
    std::uint32_t head_bytes;
    std::uint32_t tail_bytes;
    std::uint32_t context_bytes;  ///< at the record's end
    std::uint64_t moved;          ///< bytes that the call moved, of which head and tail were captured
    std::int64_t time;            ///< ns
    bool followed;                ///< handed on in order, or not to be
};

struct Entry {
    std::int64_t key;
    std::uint64_t tie;
    std::uint64_t number;
};

template <typename Record>
const Record& as(const std::byte* record) {
    return *reinterpret_cast<const Record*>(record);
}

/// Of these it is known that they say nothing of what was said.
bool has_no_payload(std::uint16_t kind) {
    switch (kind) {
        case TS_EVENT_OFF_CPU:
        case TS_EVENT_ARRIVAL:
        case TS_EVENT_SOCKET:
        case TS_EVENT_SOCKET_STATE:
        case TS_EVENT_RETRANSMIT:
        case TS_EVENT_TASK:
        case TS_EVENT_LOSS:
        case TS_EVENT_LINEAGE:
        case TS_EVENT_LOOP_PHASE:
        case TS_EVENT_ENGINE_CALL:
        case TS_EVENT_WATERMARK:
            return true;
        default:
            return false;
    }
}

/// The statement that an engine in the process has prepared; the name of a database's file stays.
void mask_engine_name(std::byte* record) {
    auto& name = *reinterpret_cast<ts_engine_name*>(record);
    auto* const text = reinterpret_cast<char*>(record + sizeof(name));
    if (name.subject != TS_ENGINE_DATABASE) {
        const std::string masked = masked_statement({text, name.text_bytes}, false);
        std::copy(masked.begin(), masked.end(), text);
    }
    std::memset(text + name.text_bytes, 0, name.head.size - sizeof(name) - name.text_bytes);
}

/// Where its payload stands.
void find_payload(Held& held, std::uint16_t kind) {
    if (kind == TS_EVENT_CALL) {
        const auto& call = as<ts_call>(held.record);
        held.payload_begin = static_cast<std::uint32_t>(sizeof(ts_call) + call.counts * sizeof(ts_call_count));
        held.head_bytes = call.head_bytes;
        held.tail_bytes = call.tail_bytes;
        held.context_bytes = (call.flags & TS_CALL_CONTEXT) != 0 ? sizeof(std::uint64_t) : 0;
        held.moved = call.result > 0 ? static_cast<std::uint64_t>(call.result) : 0;
    } else if (kind == TS_EVENT_PAYLOAD) {
        held.payload_begin = sizeof(ts_payload);
        held.head_bytes = as<ts_payload>(held.record).bytes;
        held.moved = held.head_bytes;
    } else if (kind == TS_EVENT_PLAINTEXT) {
        const auto& plain = as<ts_plaintext>(held.record);
        held.payload_begin = sizeof(ts_plaintext);
        held.head_bytes = plain.head_bytes;
        held.tail_bytes = plain.tail_bytes;
        held.moved = plain.length;
    }
}

}  // namespace

struct Redactor::State {
    State(Output to, const Secret& of_run)
        : output(std::move(to)),
          secret(of_run),
          streams([this](auto number, auto offset, auto bytes) { put(number, offset, bytes); }, secret) {}

    Output output;
    Secret secret;
    Streams streams;
    std::deque<Block> blocks;
    std::deque<Held> held;
    std::uint64_t first = 1;  ///< number of held.front()
    std::size_t held_bytes = 0;
    std::vector<Entry> waiting;
    std::vector<Entry> ready;
    std::int64_t watermark = 0;
    std::uint64_t current = 0;     ///< the record that is handed on; 0: none
    std::vector<std::byte> image;  ///< its payload, as it will be

    void take(Block& block, std::byte* record, const ts_event_head& head);
    void put(std::uint64_t number, std::uint64_t offset, std::string_view bytes);
    void follow(std::int64_t before);
    void follow_one(std::uint64_t number);
    void release(std::int64_t up_to, bool all);
    Held& find(std::uint64_t number) { return held[static_cast<std::size_t>(number - first)]; }
};

void Redactor::State::take(Block& block, std::byte* record, const ts_event_head& head) {
    const event::Bytes bytes{record, head.size};
    const event::Validity validity = event::check(bytes);
    Held fresh{.record = record,
               .size = head.size,
               .payload_begin = 0,
               .head_bytes = 0,
               .tail_bytes = 0,
               .context_bytes = 0,
               .moved = 0,
               .time = static_cast<std::int64_t>(head.time),
               .followed = true};
    block.bytes += head.size;
    held_bytes += head.size;
    if (validity != event::Validity::valid) {
        // Nobody reads it; whatever it holds is masked.
        fresh.time = watermark;
        std::memset(record + sizeof(head), 0, head.size - sizeof(head));
    } else if (head.kind == TS_EVENT_WATERMARK) {
        watermark = std::max(watermark, fresh.time);
    } else {
        find_payload(fresh, head.kind);
        fresh.followed = false;
        if (head.kind == TS_EVENT_FACT) {
            mask_fact({record, head.size});
        } else if (head.kind == TS_EVENT_ENGINE_NAME) {
            mask_engine_name(record);
        } else if (fresh.payload_begin == 0 && !has_no_payload(head.kind)) {
            std::memset(record + sizeof(head), 0, head.size - sizeof(head));
        }
        const std::uint64_t tie = std::uint64_t{head.cpu} << 32 | head.sequence;
        waiting.push_back({to_ns(event::order_key(bytes, event::Merge::kLateness)), tie, first + held.size()});
    }
    held.push_back(fresh);
}

/// Bytes that a record's call moved: those of them that were captured.
void Redactor::State::put(std::uint64_t number, std::uint64_t offset, std::string_view bytes) {
    if (number < first || number - first >= held.size()) {
        return;
    }
    const Held& record = find(number);
    std::byte* const payload = number == current ? image.data() : record.record + record.payload_begin;
    const std::uint64_t tail_begin = record.moved - record.tail_bytes;
    const auto copy = [&](std::uint64_t begin, std::uint64_t end, std::size_t at) {
        const std::uint64_t from = std::max(begin, offset);
        const std::uint64_t to = std::min(end, offset + bytes.size());
        if (from < to) {
            std::memcpy(payload + at + (from - begin), bytes.data() + (from - offset), static_cast<std::size_t>(to - from));
        }
    };
    copy(0, record.head_bytes, 0);
    copy(tail_begin, record.moved, record.head_bytes);
}

/// In order of time, as event::Merge hands them on.
void Redactor::State::follow(std::int64_t before) {
    const auto stays =
        std::stable_partition(waiting.begin(), waiting.end(), [before](const Entry& entry) { return entry.key < before; });
    ready.assign(waiting.begin(), stays);
    waiting.erase(waiting.begin(), stays);
    std::stable_sort(ready.begin(), ready.end(),
                     [](const Entry& a, const Entry& b) { return a.key != b.key ? a.key < b.key : a.tie < b.tie; });
    for (const Entry& entry : ready) {
        follow_one(entry.number);
    }
}

void Redactor::State::follow_one(std::uint64_t number) {
    Held& record = find(number);
    const event::Bytes bytes{record.record, record.size};
    const std::size_t payload = std::size_t{record.head_bytes} + record.tail_bytes;
    record.followed = true;
    image.assign(payload, std::byte{kMask});
    current = number;
    streams.next(number);
    if (as<ts_event_head>(record.record).kind == TS_EVENT_FACT) {
        if (const nlohmann::json body = event::read_fact(bytes); !body.is_null()) {
            streams.on(event::Fact{instant_from_ns(static_cast<std::uint64_t>(record.time)), event::fact_name(body), body});
        }
    } else {
        event::hand_on(bytes, streams);
    }
    current = 0;
    if (record.payload_begin > 0) {
        std::byte* const begin = record.record + record.payload_begin;
        std::copy(image.begin(), image.end(), begin);
        // What is behind it is padding, and up to the kernel: its ring may still have had another record there.
        std::fill(begin + payload, record.record + record.size - record.context_bytes, std::byte{0});
    }
}

/// Those at the front that are old enough.
void Redactor::State::release(std::int64_t up_to, bool all) {
    const auto may_go = [&](const Held& record) {
        return record.followed && (all || record.time <= up_to || held_bytes > kMostHeld);
    };
    while (!held.empty() && may_go(held.front())) {
        Block& block = blocks.front();
        const std::size_t begin = block.released;
        while (block.released < block.bytes && may_go(held.front())) {
            block.released += held.front().size;
            held_bytes -= held.front().size;
            held.pop_front();
            ++first;
        }
        output({block.data() + begin, block.released - begin});
        if (block.released == block.bytes) {
            blocks.pop_front();
        }
    }
    streams.gone_before(first);
}

Redactor::Redactor(Output output, const Secret& secret) : state_(std::make_unique<State>(std::move(output), secret)) {}
Redactor::~Redactor() = default;

Status Redactor::push(std::span<const std::byte> records) {
    if (records.empty()) {
        return Done{};
    }
    State& state = *state_;
    Block& block = state.blocks.emplace_back();
    block.words.resize((records.size() + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t));
    std::memcpy(block.data(), records.data(), records.size());
    const std::size_t size = records.size();
    while (!records.empty()) {
        const auto head = event::read_head(records);
        if (!head) {
            return Error{"no whole record at byte " + std::to_string(size - records.size()) + " of a batch of " +
                         std::to_string(size)};
        }
        state.take(block, block.data() + block.bytes, *head);
        records = records.subspan(head->size);
        if (head->kind == TS_EVENT_WATERMARK) {
            state.follow(state.watermark - to_ns(event::Merge::kLateness));
        }
    }
    state.release(state.watermark - to_ns(event::Merge::kLateness) - to_ns(kHold), false);
    return Done{};
}

void Redactor::finish() {
    state_->follow(std::numeric_limits<std::int64_t>::max());
    state_->release(0, true);
}

}  // namespace timesink::redact
