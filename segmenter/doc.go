// Package segmenter folds the objects of a broadcast into parts and segments: Object -> samples -> part/segment -> Sink ->
// timeline.
//
// One Segmenter serves one channel and is driven by one goroutine; nothing in it reads a clock, starts a goroutine or
// logs. Its output is a function of the objects and the configuration alone, so that two instances that saw the same
// objects publish the same bytes. It speaks to a one-method Sink and knows neither keys nor stores.
package segmenter
