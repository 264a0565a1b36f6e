#include "request/answer_watch.hpp"

#include <algorithm>
#include <utility>

#include "genai/inflate.hpp"
#include "proto/lines.hpp"

namespace timesink::request {

namespace {

/// FNV-1a, 64 bits. Not secure: two bodies made to collide would show as a retry, no more.
std::uint64_t digest(std::uint64_t before, std::string_view text) {
    std::uint64_t hash = before == 0 ? 0xcbf29ce484222325 : before;
    for (const char c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
    return hash;
}

}  // namespace

void StreamFigures::count(Instant at, bool cut) {
    ++events;
    exact = exact && !cut;
    if (at == Instant{}) {
        return;
    }
    if (first == Instant{}) {
        first = at;
    } else {
        longest_gap = std::max(longest_gap, at - last);
    }
    last = std::max(last, at);
}

std::unique_ptr<AnswerWatch> AnswerWatch::of_request(const proto::Head& head) {
    const genai::Api api = genai::api_of(head.operation, head.target);
    const bool path_unknown = head.target.empty() && (head.operation.empty() || head.operation == "POST");
    if (api == genai::Api::none && !path_unknown) {
        return nullptr;
    }
    std::unique_ptr<AnswerWatch> watch(new AnswerWatch);
    watch->api_ = api;
    watch->any_api_ = path_unknown;
    watch->request_encoding_ = proto::coding_of(head.attributes, "http.request.header.content-encoding");
    std::uint64_t attempt = 0;
    if (proto::parse_decimal(proto::value_of(head.attributes, "http.request.header.x-stainless-retry-count"), attempt)) {
        watch->attempt_ = attempt;
    }
    return watch;
}

std::unique_ptr<AnswerWatch> AnswerWatch::of_response(const proto::Head& head) {
    if (!proto::EventStream::kind_of(proto::value_of(head.attributes, "http.response.header.content-type"))) {
        return nullptr;
    }
    std::unique_ptr<AnswerWatch> watch(new AnswerWatch);
    watch->response(head);
    return watch;
}

void AnswerWatch::response(const proto::Head& head) {
    status_ = head.status;
    encoding_ = proto::coding_of(head.attributes, "http.response.header.content-encoding");
    const std::string_view type = proto::value_of(head.attributes, "http.response.header.content-type");
    type_unknown_ = type.empty();
    if (const auto kind = proto::EventStream::kind_of(type)) {
        events_.emplace(*kind);
        figures_.kind = *kind;
    }
}

/// Content type and encoding may stand in a table of HTTP/2 that is older than the attach, or than a loss. Both have marks.
void AnswerWatch::look_at_begin(std::string_view text) {
    if (!std::exchange(type_unknown_, false) || !encoding_.empty()) {
        return;
    }
    if (text.starts_with("data: ") || text.starts_with("event: ")) {
        events_.emplace(proto::EventStream::Kind::server_sent);
    } else if (text.starts_with("\x1f\x8b")) {  // RFC 1952 section 2.3.1
        encoding_ = "gzip";
    } else if (text.starts_with("\x28\xb5\x2f\xfd")) {  // RFC 8878 section 3.1.1
        encoding_ = "zstd";
    }
}

void AnswerWatch::content(const proto::Content& content, const net::Connection& connection) {
    const std::string_view text = proto::as_text(content.bytes);
    if (content.direction == proto::Direction::request) {
        digest_ = digest(digest_, text.empty() ? std::to_string(content.missing) : text);
        text.empty() ? request_.skip() : request_.append(text);
        return;
    }
    look_at_begin(text);
    if (!encoding_.empty()) {
        text.empty() ? encoded_.skip() : encoded_.append(text);
    } else if (!events_) {
        text.empty() ? body_.skip() : body_.append(text);
    } else if (text.empty()) {
        figures_.exact = false;
        events_->gap();
    } else {
        connection_ = &connection;
        direction_ = content.direction;
        events_->take(text, content.position, *this);
        connection_ = nullptr;
    }
}

/// Times are those of the connection, unless the content had to be undone first.
void AnswerWatch::event(const proto::EventStream::Event& event) {
    Instant at{};
    if (connection_ != nullptr) {
        const net::Moment moment = connection_->moment(direction_, event.last);
        const bool read_late = connection_->role() != net::Role::server && !moment.arrival_known;
        at = !moment.known ? Instant{} : read_late ? moment.exited : moment.arrived;
    }
    figures_.count(at, event.cut);
    if (!may_be_genai()) {
        return;
    }
    genai::Facts facts = genai::read_facts(event.data);
    if (facts.has_output && at != Instant{}) {
        first_token_ = first_token_ == Instant{} ? at : first_token_;
        last_token_ = std::max(last_token_, at);
    }
    if (answer_.type.starts_with("message") || answer_.type.starts_with("response.")) {
        facts.type.clear();  // the first event says whose stream it is
    }
    answer_.update(facts);
}

/// A compressed response is read once it is whole: its events have no times.
void AnswerWatch::undo_encoding() {
    const auto text = encoded_.whole() ? genai::inflate(encoding_, encoded_.head()) : std::nullopt;
    if (!text) {
        body_.skip();
        figures_.exact = false;
        figures_.unread = "compressed";
    } else if (events_) {
        events_->take(*text, 0, *this);
    } else {
        body_.append(*text);
    }
}

void AnswerWatch::finish(std::uint64_t position, std::string_view host) {
    if (!encoding_.empty()) {
        undo_encoding();
    }
    if (events_) {
        events_->finish(position, *this);
        stream_ = std::make_shared<const StreamFigures>(figures_);
    }
    if (may_be_genai()) {
        conclude(host);
    }
}

void AnswerWatch::conclude(std::string_view host) {
    genai::Facts request;
    if (request_encoding_.empty()) {
        request = genai::read_facts(request_);
    } else if (const auto text = request_.whole() ? genai::inflate(request_encoding_, request_.head()) : std::nullopt) {
        request = genai::read_facts(*text);
    }
    if (!events_) {
        answer_ = genai::read_facts(body_);
    }
    api_ = any_api_ ? genai::api_of(answer_) : api_;
    if (!genai::is_spoken(api_, request, answer_)) {
        return;
    }
    GenAiCall call;
    call.api = api_;
    call.operation = genai::operation_name(api_);
    call.provider = genai::provider_name(api_, host);
    call.request_model = std::move(request.model);
    call.response_model = std::move(answer_.model);
    call.streamed = events_.has_value();
    call.input_tokens = answer_.input_tokens;
    if (call.input_tokens && answer_.cache_apart) {
        *call.input_tokens += answer_.cache_read_tokens.value_or(0) + answer_.cache_creation_tokens.value_or(0);
    }
    call.output_tokens = answer_.output_tokens;
    call.cache_read_tokens = answer_.cache_read_tokens;
    call.reasoning_tokens = answer_.reasoning_tokens;
    call.first_token = first_token_;
    call.last_token = last_token_;
    call.finish_reason = std::move(answer_.finish_reason);
    call.error_type = std::move(answer_.error_type);
    const bool whole = events_ ? figures_.exact : body_.whole();
    if (status_ < 400 && !call.input_tokens && !call.output_tokens && !whole) {
        call.unread = figures_.unread.empty() ? "not captured" : figures_.unread;
    }
    call.request_digest = digest_;
    call.attempt = attempt_;
    genai_ = std::make_shared<const GenAiCall>(std::move(call));
}

}  // namespace timesink::request
