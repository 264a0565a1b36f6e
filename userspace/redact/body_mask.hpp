#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/event_stream.hpp"
#include "proto/parser.hpp"
#include "redact/json_mask.hpp"

namespace timesink::redact {

/// Says what of the bodies of one HTTP request and its response may be recorded, where the analysis looks into them
/// (request::AnswerWatch): of streams where events begin and end, of calls of language models what JsonMask leaves. A compressed
/// response is undone when it is over, masked, and compressed again into the room that it had. Of all other bodies nothing is
/// told. Owned by Bodies. Memory: kMostEncoded at most.
class BodyMask {
public:
    using Put = JsonMask::Put;

    /// Null: nothing of it is looked into.
    static std::unique_ptr<BodyMask> of_request(const proto::Head& head, const Secret& secret);
    static std::unique_ptr<BodyMask> of_response(const proto::Head& head, const Secret& secret);

    void response(const proto::Head& head);
    void content(const proto::Content& content, const Put& put);
    void finish(const Put& put);

private:
    enum class Form : std::uint8_t { unknown, json, events, lines, encoded };
    /// A line of a stream of events.
    enum class Line : std::uint8_t { name, blank, data, other };

    explicit BodyMask(const Secret& secret) : secret_(secret), request_(&secret), answer_(nullptr) {}
    void look_at_begin(std::string_view text);
    void events(std::string_view text, std::uint64_t position, const Put& put);
    void event_byte(char c, std::uint64_t position, const Put& put);
    void line_over(const Put& put);
    void name_byte(char c, std::uint64_t position, const Put& put);
    void tell_name(const Put& put);
    void encoded(std::string_view text, std::uint64_t position);
    void lose();
    void storage_answer(std::string_view text, std::uint64_t position, const Put& put) const;
    [[nodiscard]] std::string masked_document(std::string_view text);

    static constexpr std::size_t kMostEncoded = std::size_t{64} * 1024;

    Secret secret_;
    bool storage_ = false;  ///< it is a call of object storage: of its answer codes and an upload's id are read
    bool model_ = false;    ///< it may be a call of a language model; else a stream of events that only counts
    Form form_ = Form::unknown;
    Form within_ = Form::unknown;  ///< an encoding
    bool request_encoded_ = false;
    bool request_lost_ = false;  ///< bytes of it were not captured
    bool lost_ = false;
    JsonMask request_;
    JsonMask answer_;
    std::string encoding_;
    std::string held_;                   ///< of an encoded body
    std::vector<std::uint64_t> places_;  ///< of its bytes
    Line line_ = Line::name;
    std::string name_;  ///< of the field of the line in progress
    std::vector<std::uint64_t> name_places_;
    bool line_empty_ = true;
    bool after_cr_ = false;  ///< a line feed now belongs to the line end before it
};

}  // namespace timesink::redact
