// Package channel joins the floors for one broadcast: it is the subscriber's Receiver, drives the segmenter from one
// goroutine, and shows the server what there is.
//
//	subscriber.Source ──objects──> Channel.Run (the fold) ──> segmenter ──> storage.Hot
//	                                                             └──> Output ──> server
//
// It decides nothing about media: what a bad object costs is the segmenter's to say, what a viewer gets is the server's.
package channel
