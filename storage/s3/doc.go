// Package s3 is a storage.Durable in a bucket of Amazon S3 or of something that speaks its API. It is the only importer of the
// AWS SDK.
//
// A blob is one PUT with If-None-Match, a document one with If-Match: whoever is second learns it from the store, and what two
// instances write at the same time is decided there. Endpoints that do not honour the conditions are found out by Probe; then the
// store looks before it writes, which leaves a moment in which two writers do not see each other.
//
// There is one layer of retries, here: the SDK's own is off. What does not answer in time, or says SlowDown, is asked again after
// a random wait that grows; what is wrong with the configuration is not.
package s3
