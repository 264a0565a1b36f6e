#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bounded_text.hpp"
#include "genai/api.hpp"
#include "net/connection.hpp"
#include "proto/event_stream.hpp"
#include "proto/parser.hpp"
#include "request/answer_stream.hpp"
#include "request/genai_call.hpp"

namespace timesink::request {

/// Reads along in the bodies of one HTTP request and its response, where they may be of interest: streams of events, and the APIs
/// of language models. Owned by the open unit or exchange. Memory: kMostHeld at most, and mostly a few KiB.
class AnswerWatch final : private proto::EventStream::Listener {
public:
    /// Of a request that may be a call of a language model; null: it is none for sure.
    static std::unique_ptr<AnswerWatch> of_request(const proto::Head& head);
    /// Of a response whose request was not watched.
    static std::unique_ptr<AnswerWatch> of_response(const proto::Head& head);

    void response(const proto::Head& head);
    void content(const proto::Content& content, const net::Connection& connection);
    /// The response is over at this position of its stream; to be called once. Whether what was seen is a call of a language
    /// model is known only now.
    void finish(std::uint64_t position, std::string_view host);

    /// After finish(). Null: it was none.
    [[nodiscard]] const std::shared_ptr<const StreamFigures>& stream() const { return stream_; }
    [[nodiscard]] const std::shared_ptr<const GenAiCall>& genai() const { return genai_; }

private:
    AnswerWatch() = default;
    void event(const proto::EventStream::Event& event) override;
    [[nodiscard]] bool may_be_genai() const { return api_ != genai::Api::none || any_api_; }
    void look_at_begin(std::string_view text);
    void undo_encoding();
    void conclude(std::string_view host);

    static constexpr std::size_t kKeptRequest = std::size_t{16} * 1024;
    static constexpr std::size_t kKeptTail = std::size_t{4} * 1024;
    static constexpr std::size_t kKeptEncoded = std::size_t{64} * 1024;

    genai::Api api_ = genai::Api::none;
    bool any_api_ = false;       ///< the path is not known: the answer tells which, if any
    bool type_unknown_ = false;  ///< the header is not known, or has no content type: the first bytes of the response tell
    std::string request_encoding_;
    std::string encoding_;  ///< of the response; empty: none
    std::uint64_t attempt_ = 0;
    std::uint64_t digest_ = 0;
    int status_ = 0;
    BoundedText request_{kKeptRequest, kKeptTail};
    BoundedText body_{kKeptRequest, kKeptTail};  ///< of a response that is not a stream
    BoundedText encoded_{kKeptEncoded, 0};
    std::optional<proto::EventStream> events_;
    StreamFigures figures_;
    genai::Facts answer_;  ///< of the events so far
    Instant first_token_{};
    Instant last_token_{};
    const net::Connection* connection_ = nullptr;  ///< within content() only: its times
    proto::Direction direction_ = proto::Direction::response;
    std::shared_ptr<const StreamFigures> stream_;
    std::shared_ptr<const GenAiCall> genai_;
};

}  // namespace timesink::request
