#pragma once

#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <vector>

#include "timesink/abi/events.h"

/// Builds raw records of include/timesink/abi/events.h for tests: the same bytes that the kernel side and live/ write.
namespace timesink::records {

using Buffer = std::vector<std::byte>;

/// A head as far as its writer decides; Stream fills in kind, size and sequence.
inline ts_event_head head(std::uint64_t time, std::uint16_t cpu = 0, std::uint32_t tid = 0) {
    return {.kind = 0, .size = 0, .cpu = cpu, .reserved = 0, .sequence = 0, .tid = tid, .time = time};
}
inline ts_loss loss_of(std::uint64_t first, std::uint64_t last, std::uint64_t count, std::uint16_t cpu = 0) {
    return {.head = head(last + 1, cpu), .first = first, .last = last, .count = count};
}

/// Appends whole records; numbers them per CPU as the kernel side does, unless the caller sets a sequence itself.
class Stream {
public:
    [[nodiscard]] const Buffer& bytes() const { return bytes_; }
    [[nodiscard]] Buffer take() {
        offsets_.clear();
        return std::move(bytes_);
    }
    /// Where each record begins.
    [[nodiscard]] const std::vector<std::size_t>& offsets() const { return offsets_; }
    /// As if `count` reserves on that CPU had failed.
    void skip(std::uint16_t cpu, std::uint32_t count = 1) { next(cpu) += count; }
    [[nodiscard]] std::uint32_t sequence(std::uint16_t cpu) { return next(cpu); }

    /// `context` goes behind the padding when it is not 0.
    void call(ts_call call, std::string_view head = {}, std::string_view tail = {}, std::span<const ts_call_count> counts = {},
              std::uint64_t context = 0) {
        call.flags = static_cast<__u8>(call.flags | (context != 0 ? TS_CALL_CONTEXT : 0));
        call.head_bytes = static_cast<__u16>(head.size());
        call.tail_bytes = static_cast<__u16>(tail.size());
        call.counts = static_cast<__u8>(counts.size());
        const std::size_t payload = (counts.size_bytes() + head.size() + tail.size() + 7) / 8 * 8;
        const std::size_t variable = payload + (context != 0 ? sizeof(context) : 0);
        begin(call, TS_EVENT_CALL, variable);
        append(counts.data(), counts.size_bytes());
        append(head.data(), head.size());
        append(tail.data(), tail.size());
        pad();
        append(&context, context != 0 ? sizeof(context) : 0);
    }
    void payload(ts_payload record, std::string_view bytes) {
        record.bytes = static_cast<__u16>(bytes.size());
        begin(record, TS_EVENT_PAYLOAD, bytes.size());
        append(bytes.data(), bytes.size());
        pad();
    }
    void plaintext(ts_plaintext record, std::string_view head = {}, std::string_view tail = {}) {
        record.head_bytes = static_cast<__u16>(head.size());
        record.tail_bytes = static_cast<__u16>(tail.size());
        begin(record, TS_EVENT_PLAINTEXT, head.size() + tail.size());
        append(head.data(), head.size());
        append(tail.data(), tail.size());
        pad();
    }
    void engine_name(ts_engine_name record, std::string_view text) {
        record.text_bytes = static_cast<__u16>(text.size());
        begin(record, TS_EVENT_ENGINE_NAME, text.size());
        append(text.data(), text.size());
        pad();
    }
    void engine_call(ts_engine_call record) { fixed(record, TS_EVENT_ENGINE_CALL); }
    void off_cpu(ts_off_cpu record) { fixed(record, TS_EVENT_OFF_CPU); }
    void arrival(ts_arrival record) { fixed(record, TS_EVENT_ARRIVAL); }
    void socket(ts_socket record) { fixed(record, TS_EVENT_SOCKET); }
    void socket_state(ts_socket_state record) { fixed(record, TS_EVENT_SOCKET_STATE); }
    void retransmit(ts_retransmit record) { fixed(record, TS_EVENT_RETRANSMIT); }
    void task(ts_task record) { fixed(record, TS_EVENT_TASK); }
    void lineage(ts_lineage record) { fixed(record, TS_EVENT_LINEAGE); }
    void loop_phase(ts_loop_phase record) { fixed(record, TS_EVENT_LOOP_PHASE); }
    void loss(ts_loss record) { fixed(record, TS_EVENT_LOSS); }
    void watermark(std::uint64_t time) {
        ts_watermark record{};
        record.head.cpu = TS_CPU_USERSPACE;
        record.head.time = time;
        fixed(record, TS_EVENT_WATERMARK);
    }
    void fact(std::uint64_t time, const nlohmann::json& body) { fact_text(time, body.dump()); }
    void fact_text(std::uint64_t time, std::string_view text) {
        ts_fact record{};
        record.head.cpu = TS_CPU_USERSPACE;
        record.head.time = time;
        record.json_bytes = static_cast<__u32>(text.size());
        begin(record, TS_EVENT_FACT, text.size());
        append(text.data(), text.size());
        pad();
    }
    /// Bytes as they are: for records that no writer of ours would make.
    void raw(std::span<const std::byte> bytes) {
        offsets_.push_back(bytes_.size());
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    }

private:
    template <typename Record>
    void fixed(Record& record, ts_event_kind kind) {
        begin(record, kind, 0);
        pad();
    }
    template <typename Record>
    void begin(Record& record, ts_event_kind kind, std::size_t variable) {
        record.head.kind = kind;
        record.head.size = static_cast<__u16>((sizeof(record) + variable + 7) / 8 * 8);
        record.head.sequence = next(record.head.cpu)++;
        offsets_.push_back(bytes_.size());
        append(&record, sizeof(record));
    }
    void append(const void* data, std::size_t size) {
        const auto* begin = static_cast<const std::byte*>(data);
        bytes_.insert(bytes_.end(), begin, begin + size);
    }
    void pad() { bytes_.resize((bytes_.size() + 7) / 8 * 8); }
    std::uint32_t& next(std::uint16_t cpu) {
        if (cpu >= next_.size()) {
            next_.resize(std::size_t{cpu} + 1);
        }
        return next_[cpu];
    }

    Buffer bytes_;
    std::vector<std::size_t> offsets_;
    std::vector<std::uint32_t> next_;
};

}  // namespace timesink::records
