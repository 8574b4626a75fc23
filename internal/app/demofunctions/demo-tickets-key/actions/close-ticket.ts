export { default } from '../../demo-tickets/actions/close-ticket';
