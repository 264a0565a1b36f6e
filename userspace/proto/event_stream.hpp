#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bounded_text.hpp"
#include "proto/parser.hpp"

namespace timesink::proto {

/// Cuts the content of a streamed answer into events.
///
/// - server_sent: Server-Sent Events (WHATWG HTML, section 9.2.6). An event is what a client would dispatch: comments, and blocks
///   without data, are none.
/// - lines: JSON lines; an event is a line that is not empty.
///
/// | state | bytes                                                      | gap                                     |
/// |-------|------------------------------------------------------------|-----------------------------------------|
/// | name  | ':' -> space; end of line: an empty one ends the event     | -> torn                                 |
/// | space | one blank is skipped, -> value                             | -> torn                                 |
/// | value | to the event where it is its data; end of line -> name     | -> torn                                 |
/// | torn  | all to the event; an empty line (lines: any end) -> name   | stays                                   |
///
/// A gap may have had the end of an event and the begin of others: what is behind it belongs to one event, which is cut.
class EventStream {
public:
    enum class Kind : std::uint8_t { server_sent, lines };
    /// Of a Content-Type; none: not a stream of events.
    static std::optional<Kind> kind_of(std::string_view content_type);

    /// Of one event's data. Enough for all of an ordinary event, and for both ends of one that repeats a whole answer.
    static constexpr std::size_t kKeptHead = std::size_t{16} * 1024;
    static constexpr std::size_t kKeptTail = std::size_t{4} * 1024;

    struct Event {
        std::string_view name;  ///< its first bytes; empty: not given
        const BoundedText& data;
        std::uint64_t last;  ///< stream position of the byte that ended it
        bool cut;            ///< bytes are missing in it: it may stand for several
    };
    class Listener {
    public:
        virtual ~Listener() = default;
        virtual void event(const Event& event) = 0;
    };

    explicit EventStream(Kind kind) : kind_(kind) {}
    /// Bytes that follow those given before; `position`: of the first.
    void take(std::string_view bytes, std::uint64_t position, Listener& listener);
    /// Bytes were not captured.
    void gap();
    /// The content is over: a last line without an end counts (JSON lines); an event without its empty line does not (section
    /// 9.2.6), unless something of it is missing.
    void finish(std::uint64_t position, Listener& listener);

    [[nodiscard]] Kind kind() const { return kind_; }

private:
    enum class State : std::uint8_t { name, space, value, torn };
    std::size_t step(std::string_view bytes, std::uint64_t position, Listener& listener);
    void end_of_line(std::uint64_t position, Listener& listener);
    void dispatch(std::uint64_t position, Listener& listener);
    void store(std::string_view bytes);

    Kind kind_;
    State state_ = State::name;
    bool after_cr_ = false;   ///< a line feed now belongs to the line end before it
    bool line_empty_ = true;  ///< torn: nothing since the last end of line
    bool has_data_ = false;   ///< of the event
    bool cut_ = false;        ///< ditto
    std::string field_;       ///< name of the field of this line, its first bytes
    std::string event_name_;
    BoundedText data_{kKeptHead, kKeptTail};
};

}  // namespace timesink::proto
