package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
)

type asker interface {
	ask(ctx context.Context, number int) error
}

type onPool struct{}

// One statement, on a connection of its own for it.
func (onPool) ask(ctx context.Context, number int) error {
	var product, quantity int
	rows, err := pool.Query(ctx, statement, number)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&product, &quantity); err != nil {
			return err
		}
	}
	return rows.Err()
}

type onConnection struct{ connection *pgxpool.Conn }

func (o onConnection) ask(ctx context.Context, number int) error {
	rows, err := o.connection.Query(ctx, statement, number)
	if err != nil {
		return err
	}
	rows.Close()
	return rows.Err()
}

func several(ctx context.Context, on asker, number, count int) error {
	for i := 0; i < count; i++ {
		if err := on.ask(ctx, number+i); err != nil {
			return err
		}
	}
	return nil
}

func one(ctx context.Context, number int) error {
	return onPool{}.ask(ctx, number)
}

func times(count int) func(context.Context, int) error {
	return func(ctx context.Context, number int) error { return several(ctx, onPool{}, number, count) }
}

// All on one connection, as an ORM's session does.
func held(ctx context.Context, number int) error {
	connection, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer connection.Release()
	return several(ctx, onConnection{connection}, number, 20)
}

func parallel(ctx context.Context, number int) error {
	group, inner := errgroup.WithContext(ctx)
	for i := 0; i < 3; i++ {
		own := number + i
		group.Go(func() error { return one(inner, own) })
	}
	return group.Wait()
}

// Goroutines that make goroutines; the outer ones of the second pair make no call of their own.
func nested(ctx context.Context, number int) error {
	group, inner := errgroup.WithContext(ctx)
	for i := 0; i < 2; i++ {
		own, silent := number+10*i, i == 1
		group.Go(func() error {
			below, innermost := errgroup.WithContext(inner)
			below.Go(func() error { return one(innermost, own) })
			if !silent {
				if err := one(innermost, own+1); err != nil {
					return err
				}
			}
			return below.Wait()
		})
	}
	return group.Wait()
}

func transaction(ctx context.Context, number int) error {
	tx, err := database.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for i := 0; i < 2; i++ {
		var product, quantity int
		_ = tx.QueryRowContext(ctx, statement, number+i).Scan(&product, &quantity)
	}
	return tx.Commit()
}

// By database/sql, whose connections are handed from one goroutine to the next.
func standard(ctx context.Context, number int) error {
	for i := 0; i < 3; i++ {
		rows, err := database.QueryContext(ctx, statement, number+i)
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		if err := rows.Close(); err != nil {
			return err
		}
	}
	return nil
}

func timers(ctx context.Context, number int) error {
	for i := 0; i < 3; i++ {
		time.Sleep(time.Millisecond * time.Duration(1+number%5))
		if err := one(ctx, number+i); err != nil {
			return err
		}
	}
	return nil
}

func rate(ctx context.Context, number int) error {
	var port int
	var began int64
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		port, began = portOf(info.Conn), now()
	}})
	request, err := http.NewRequestWithContext(traced, http.MethodGet, fmt.Sprintf("%s/v1/rate?ms=%d", provided, 2+number%6), nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	// Noted before the end of the body is read: then the connection is anyone's.
	note(ctx, "provider", port, began)
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.Body.Close()
}

func provider(ctx context.Context, number int) error {
	if err := one(ctx, number); err != nil {
		return err
	}
	if err := rate(ctx, number); err != nil {
		return err
	}
	return one(ctx, number+1)
}

func cached(ctx context.Context, number int) error {
	key := fmt.Sprintf("seen:%d:%d", workOf(ctx).number, number)
	if err := cache.Incr(ctx, key).Err(); err != nil {
		return err
	}
	if err := cache.Get(ctx, key).Err(); err != nil {
		return err
	}
	return one(ctx, number)
}

var leftovers sync.WaitGroup

// For work of a request that has been answered.
func afterwards(ctx context.Context) context.Context {
	return context.WithValue(context.WithValue(context.Background(), workKey{}, workOf(ctx)), backgroundKey{}, true)
}

// The response does not wait for it.
func leaveBehind(ctx context.Context, number int) error {
	after := afterwards(ctx)
	if err := one(ctx, number); err != nil {
		return err
	}
	leftovers.Add(1)
	go func() {
		defer leftovers.Done()
		time.Sleep(3 * time.Millisecond)
		_ = one(after, number+1)
	}()
	return nil
}

// Goroutines that serve whoever hands them work, over a channel.
type job struct {
	ctx    context.Context
	number int
	done   chan error
}

const workers = 4

var jobs = make(chan job)

func worker(from chan job) {
	for next := range from {
		next.done <- one(next.ctx, next.number)
	}
}

func handedOver(ctx context.Context, number int) error {
	done := make(chan error)
	jobs <- job{ctx, number, done}
	if err := <-done; err != nil {
		return err
	}
	return one(ctx, number+1)
}

var growing = make(chan job)

// As handedOver, but a worker is made by whoever finds none free; it stays for some more jobs, which are anyone's.
const jobsOfWorker = 20

func handedToGrowing(ctx context.Context, number int) error {
	done := make(chan error)
	for i := 0; i < 2; i++ {
		next := job{ctx, number + i, done}
		select {
		case growing <- next:
		default:
			go func() {
				next.done <- one(next.ctx, next.number)
				for i := 0; i < jobsOfWorker; i++ {
					more := <-growing
					more.done <- one(more.ctx, more.number)
				}
			}()
		}
		if err := <-done; err != nil {
			return err
		}
	}
	return one(ctx, number+2)
}
