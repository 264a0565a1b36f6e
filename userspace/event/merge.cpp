#include "event/merge.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "event/losses.hpp"
#include "event/record.hpp"

namespace timesink::event {
namespace {

/// Holds records until they are handed on. Blocks never move, so entries point into them; a block whose records are all gone is
/// used again. Not one growing buffer: what is younger than the horizon would have to be moved at every watermark.
class Arena {
public:
    struct Place {
        std::byte* record;
        std::uint32_t block;
    };

    Place keep(Bytes record) {
        if (blocks_.empty() || blocks_[current_].used + record.size() > kBlockBytes) {
            next_block();
        }
        Block& block = blocks_[current_];
        auto* const at = reinterpret_cast<std::byte*>(block.words.get()) + block.used;
        std::memcpy(at, record.data(), record.size());
        block.used += record.size();
        ++block.records;
        return {at, current_};
    }
    void release(std::uint32_t index) {
        Block& block = blocks_[index];
        if (--block.records == 0 && index != current_) {
            free_.push_back(index);
        }
    }
    /// The last kept record is not wanted after all.
    void forget(const Place& place, std::size_t size) {
        Block& block = blocks_[place.block];
        block.used -= size;
        --block.records;
    }

private:
    static constexpr std::size_t kBlockBytes = std::size_t{256} * 1024;  // a record has at most 64 KiB
    struct Block {
        std::unique_ptr<std::uint64_t[]> words;  // words: aligned as records are
        std::size_t used = 0;
        std::size_t records = 0;
    };

    void next_block() {
        if (!blocks_.empty() && blocks_[current_].records == 0) {
            blocks_[current_].used = 0;
            return;
        }
        if (free_.empty()) {
            blocks_.push_back({std::make_unique<std::uint64_t[]>(kBlockBytes / sizeof(std::uint64_t)), 0, 0});
            free_.push_back(static_cast<std::uint32_t>(blocks_.size() - 1));
        }
        current_ = free_.back();
        free_.pop_back();
        blocks_[current_].used = 0;
    }

    std::vector<Block> blocks_;
    std::vector<std::uint32_t> free_;
    std::uint32_t current_ = 0;
};

/// What is sorted: small, so that sorting does not touch the records.
struct Entry {
    std::int64_t key;   ///< ns
    std::uint64_t tie;  ///< cpu, then sequence
    const std::byte* record;
    std::uint32_t block;
    std::uint32_t size;
};

bool before(const Entry& a, const Entry& b) {
    return a.key != b.key ? a.key < b.key : a.tie < b.tie;
}

/// std::stable_sort, but its memory is kept: what that allocates at every watermark is large enough for malloc to clear up all
/// that it holds ready (malloc_consolidate), which makes every allocation of the analysis dearer.
void sort_stably(std::vector<Entry>& entries, std::vector<Entry>& scratch) {
    constexpr std::size_t kRun = 16;
    const std::size_t size = entries.size();
    for (std::size_t run = 0; run < size; run += kRun) {
        for (std::size_t i = run + 1; i < std::min(run + kRun, size); ++i) {
            const Entry entry = entries[i];
            std::size_t at = i;
            for (; at > run && before(entry, entries[at - 1]); --at) {
                entries[at] = entries[at - 1];
            }
            entries[at] = entry;
        }
    }
    scratch.resize(size);
    const auto place = [](std::vector<Entry>& of, std::size_t at) { return of.begin() + static_cast<std::ptrdiff_t>(at); };
    for (std::size_t width = kRun; width < size; width *= 2) {
        for (std::size_t begin = 0; begin < size; begin += 2 * width) {
            const auto middle = place(entries, std::min(begin + width, size));
            const auto end = place(entries, std::min(begin + 2 * width, size));
            std::merge(place(entries, begin), middle, middle, end, place(scratch, begin), before);
        }
        entries.swap(scratch);
    }
}

/// What waited for its watermark has left the caches, and in order of time the next record lies anywhere.
constexpr std::size_t kAhead = 6;
void prefetch(const Entry& entry) {
    constexpr std::uint32_t kLine = 64;
    constexpr std::uint32_t kMost = 8 * kLine;  // the heads of most messages
    for (std::uint32_t offset = 0; offset < std::min(entry.size, kMost); offset += kLine) {
        __builtin_prefetch(entry.record + offset);
    }
}

/// Facts are rare, but to be read twice they are not rare enough.
bool is_detached(Bytes fact) {
    constexpr std::string_view kName = "detached";
    const std::string_view text(reinterpret_cast<const char*>(fact.data()), fact.size());
    if (text.find(kName) == std::string_view::npos) {
        return false;
    }
    const nlohmann::json body = read_fact(fact);
    return !body.is_null() && fact_name(body) == kName;
}

}  // namespace

struct Merge::State {
    explicit State(Consumer& to) : consumer(to) {}

    Consumer& consumer;
    Statistics statistics;
    Losses losses;
    Arena arena;
    std::vector<Entry> waiting;  ///< in order of delivery
    std::vector<Entry> ready;
    std::vector<Entry> scratch;  ///< for sorting
    Instant horizon{};           ///< everything older has been handed on
    Instant newest{};            ///< of all records

    /// Returns whether it is the last one of an attach.
    bool take(const ts_event_head& head, Bytes bytes);
    void keep(const Arena::Place& place, Bytes record);
    void make(const Loss& loss, std::uint32_t sequence);
    void advance(Instant to);
    void finish();
    void hand_on_ready();
    void hand_on_fact(Bytes record);
    void note_drops(const nlohmann::json& body);
    void begin_anew();
};

bool Merge::State::take(const ts_event_head& head, Bytes bytes) {
    const Arena::Place place = arena.keep(bytes);
    const Bytes record{place.record, bytes.size()};
    const Validity validity = check(record);
    if (validity != Validity::malformed) {
        losses.saw(head);  // an unknown kind has its place in the sequence, too
        newest = std::max(newest, instant_from_ns(head.time));
    }
    if (validity != Validity::valid || head.kind == TS_EVENT_WATERMARK) {
        arena.forget(place, bytes.size());
        statistics.malformed += validity == Validity::malformed ? 1 : 0;
        statistics.unknown_kinds += validity == Validity::unknown_kind ? 1 : 0;
        if (validity == Validity::valid && instant_from_ns(head.time) - kLateness > horizon) {
            advance(instant_from_ns(head.time) - kLateness);
        }
        return false;
    }
    if (head.kind == TS_EVENT_LOSS) {
        losses.told(head.cpu, reinterpret_cast<const ts_loss*>(place.record)->count);
    }
    keep(place, record);
    return head.kind == TS_EVENT_FACT && is_detached(record);
}

void Merge::State::keep(const Arena::Place& place, Bytes record) {
    const auto& head = *reinterpret_cast<const ts_event_head*>(record.data());
    const Instant key = order_key(record, kLateness);
    if (key < horizon) {
        ++statistics.out_of_order;
    }
    const std::uint64_t tie = std::uint64_t{head.cpu} << 32 | head.sequence;
    waiting.push_back({to_ns(key), tie, place.record, place.block, head.size});
}

/// A loss that only its gap tells of becomes a record as the kernel would have written it, and takes the same way.
void Merge::State::make(const Loss& loss, std::uint32_t sequence) {
    ts_loss record{};
    record.head = {.kind = TS_EVENT_LOSS,
                   .size = sizeof(record),
                   .cpu = loss.cpu,
                   .reserved = 0,
                   .sequence = sequence,
                   .tid = 0,
                   .time = static_cast<std::uint64_t>(to_ns(loss.last))};
    record.first = static_cast<std::uint64_t>(to_ns(loss.first));
    record.last = static_cast<std::uint64_t>(to_ns(loss.last));
    record.count = loss.count;
    const Arena::Place place = arena.keep(std::as_bytes(std::span(&record, 1)));
    keep(place, {place.record, sizeof(record)});
}

void Merge::State::advance(Instant to) {
    for (const Losses::Gap& gap : losses.settle(to)) {
        make(gap.loss, gap.sequence);
    }
    auto stays = waiting.begin();
    for (const Entry& entry : waiting) {
        if (entry.key < to_ns(to)) {
            ready.push_back(entry);
        } else {
            *stays++ = entry;
        }
    }
    waiting.erase(stays, waiting.end());
    hand_on_ready();
    horizon = to;
    consumer.advance(to);
}

void Merge::State::hand_on_ready() {
    // Stable: records that agree in time, CPU and sequence (live/ writes some) stay as they were delivered.
    sort_stably(ready, scratch);
    for (std::size_t at = 0; at < ready.size(); ++at) {
        if (at + kAhead < ready.size()) {
            prefetch(ready[at + kAhead]);
        }
        const Entry& entry = ready[at];
        const Bytes record{entry.record, entry.size};
        const auto& head = *reinterpret_cast<const ts_event_head*>(entry.record);
        if (head.kind == TS_EVENT_LOSS) {
            statistics.lost += reinterpret_cast<const ts_loss*>(entry.record)->count;
        }
        if (head.kind == TS_EVENT_FACT) {
            hand_on_fact(record);
        } else {
            hand_on(record, consumer);
            ++statistics.records;
        }
        arena.release(entry.block);
    }
    ready.clear();
}

void Merge::State::hand_on_fact(Bytes record) {
    const nlohmann::json body = read_fact(record);
    if (body.is_null()) {
        ++statistics.malformed;
        return;
    }
    note_drops(body);
    const auto& head = *reinterpret_cast<const ts_event_head*>(record.data());
    consumer.on(Fact{instant_from_ns(head.time), fact_name(body), body});
    ++statistics.records;
}

void Merge::State::note_drops(const nlohmann::json& body) {
    if (fact_name(body) != "drops") {
        return;
    }
    const auto cpu = body.find("cpu");
    const auto count = body.find("count");
    if (cpu != body.end() && cpu->is_number_unsigned() && count != body.end() && count->is_number_unsigned()) {
        losses.total(cpu->get<std::uint64_t>(), count->get<std::uint64_t>());
    }
}

void Merge::State::finish() {
    const Instant end = newest + Duration(1);
    for (const Losses::Gap& gap : losses.settle(end)) {
        make(gap.loss, gap.sequence);
    }
    // The totals stand in facts that mostly still wait: look ahead, so that the final loss comes before them.
    for (const Entry& entry : waiting) {
        const auto& head = *reinterpret_cast<const ts_event_head*>(entry.record);
        if (head.kind == TS_EVENT_FACT) {
            if (const nlohmann::json body = read_fact({entry.record, entry.size}); !body.is_null()) {
                note_drops(body);
            }
        }
    }
    for (const Loss& loss : losses.remainder(newest)) {
        make(loss, std::numeric_limits<std::uint32_t>::max());
    }
    advance(std::max(end, horizon));
}

void Merge::State::begin_anew() {
    losses = {};
    horizon = newest = Instant{};
    consumer.detached();
}

Merge::Merge(Consumer& consumer) : state_(std::make_unique<State>(consumer)) {}
Merge::~Merge() = default;

Status Merge::push(std::span<const std::byte> records) {
    const std::size_t size = records.size();
    while (!records.empty()) {
        const auto head = read_head(records);
        if (!head) {
            return Error{"no whole record at byte " + std::to_string(size - records.size()) + " of a batch of " +
                         std::to_string(size)};
        }
        const bool ends_attach = state_->take(*head, records.first(head->size));
        records = records.subspan(head->size);
        if (ends_attach) {
            state_->finish();
            state_->begin_anew();
        }
    }
    return Done{};
}

void Merge::finish() {
    state_->finish();
}

const Merge::Statistics& Merge::statistics() const {
    return state_->statistics;
}

}  // namespace timesink::event
