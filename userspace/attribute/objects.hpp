#pragma once

#include <vector>

#include "attribute/account.hpp"

namespace timesink::attribute {

/// Of the two sizes of an object, fetched and stored: as different as they may be, by whichever is more.
inline constexpr std::uint64_t kAboutBytes = 64;
inline constexpr double kAbout = 0.01;
/// Beyond, exchanges belong to no object: what they have to do with each other would take too long to find.
inline constexpr std::size_t kMostObjects = 10000;

/// Finds what a unit moved, and says of each exchange to which object it belongs:
///   - a multipart upload (one upload id) and all its parts are one object;
///   - what is stored under one key again, after an attempt that failed, is one object;
///   - a download (GET, with a body) and the put of about as many bytes that was sent after its response had begun are one: of
///     several downloads that fit, the nearest in size, then the earliest that has no put yet. Not so JSON, text and forms;
///   - each other exchange that moves an object in bulk is one by itself.
/// A download that is then stored is transfer, however small it is, unless a rule of the user's has decided.
/// `exchanges`: of one unit, in order of sending.
void find_objects(std::vector<OwnedExchange>& exchanges, std::vector<MovedObject>& objects);

/// Adds up on_path and hidden of the exchanges of each object.
void measure_objects(const std::vector<OwnedExchange>& exchanges, std::vector<MovedObject>& objects);

}  // namespace timesink::attribute
